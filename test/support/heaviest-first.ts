import type { TestSpecification } from 'vitest/node';
import { BaseSequencer } from 'vitest/node';

/** Files that take longest, longest first: begun last, one of them would run alone at the end while cores are idle. */
const HEAVIEST = [
  'test/conformance/demo/demo.test.ts',
  'test/faults/leader/leader-lost.test.ts',
  'test/integration/node/bad-input.test.ts',
  'test/faults/jobs/lost-workers.test.ts',
  'test/integration/storage/files.test.ts',
  'test/integration/main/scan/scanner.test.ts',
  'test/integration/operator/drill.test.ts',
  'test/integration/operator/operator.test.ts',
];

function rankOf({ moduleId }: TestSpecification): number {
  const rank = HEAVIEST.findIndex((file) => moduleId.endsWith(file));
  return rank < 0 ? HEAVIEST.length : rank;
}

/** Order of test files: the heaviest first, then vitest's own. */
export class HeaviestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).toSorted((one, other) => rankOf(one) - rankOf(other));
  }
}
