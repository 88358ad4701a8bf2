import { expect, test } from 'vitest';
import { nodeProgram, packagedResources } from '../../../agent/runtime/node-program.ts';

test('an installed agent knows the folder of its application’s resources, one from source has none', () => {
  const installed = '/opt/ISG Pro/resources/app.asar.unpacked/out/agent/runtime/node-program.js';
  expect(packagedResources(installed)).toBe('/opt/ISG Pro/resources');
  expect(packagedResources()).toBeNull();
});

test('plain Node runs the agent’s processes itself', () => {
  expect(nodeProgram('/nowhere')).toEqual({ path: process.execPath, env: {} });
});
