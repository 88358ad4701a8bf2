import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import type { LoadedConfig } from '../../config/load-config.ts';
import { diagnosisText } from '../diagnosis.ts';
import { diagnoseLoaded } from '../run-doctor.ts';
import type { LogLimits } from './bundle-plan.ts';
import { codeOf, entitiesOf, listFolder, lookOutside, secretsOf, settingsOf, versionsOf } from './collect-facts.ts';
import { findLogs, type LogNote, readLog } from './log-files.ts';
import { createTextRedactor, redactConfig, secretParts, secretsOfConfig } from './redact-text.ts';
import { type ZipEntry, zipAtomically } from './zip-atomically.ts';

/** What a support bundle is made of. */
export interface BundleOrder {
  loaded: LoadedConfig;
  configPath: string;
  dataDir: string;
  /** Text of config.ini, null when there is none; throws when it cannot be read. */
  configText: () => string | null;
  /** Where the zip goes; absolute. */
  file: string;
  /** File with the desktop application's state as JSON; absent when headless. */
  appState?: string;
  signal: AbortSignal;
  onProgress: (progress: BundleProgress) => void;
  limits?: LogLimits;
  open?: (path: string) => Writable;
}

/** How far a bundle is. */
export interface BundleProgress {
  /** What it does now, in words. */
  doing: string;
  /** Done of all, from 0 to 1. */
  share: number;
}

const ABOUT = `Support bundle of a node of ISG Pro.

doctor.txt, doctor.json   what is wrong, the likeliest cause first
config.ini                without secrets (***)
settings.json             values that count, who said them, and what they beat
iconik.json               storage gateway, cluster and storages as iconik has them
cluster.json              members and queues as the cluster's database has them
app-state.json            what the desktop application showed (absent from a headless node)
versions.json             program, runtime, system, ffmpeg
data-folder.txt           files of the data folder with their sizes
logs/                     the newest log files; logs.txt says what was left out

Tokens, passwords and signed addresses were replaced by ***. Names of hosts, users, folders and files were not: look
through the files before you pass them on.
`;

/** The diagnosis and the looks outside take most of the time. */
const LOOKED = 0.5;

/**
 * Makes a support bundle: diagnosis, settings, versions, state and logs of a node, running or not, in one zip without
 * secrets. Throws in words when it cannot be written (`disk-full`, `unexpected`), or the signal's reason.
 */
export async function makeBundle(order: BundleOrder): Promise<void> {
  const { loaded, file, signal, onProgress, open } = order;
  onProgress({ doing: 'Looking for what is wrong', share: 0 });
  const [diagnosis, outside, versions] = await Promise.all([
    diagnoseLoaded(loaded),
    lookOutside(loaded),
    versionsOf(loaded),
  ]);
  signal.throwIfAborted();
  const config = configOf(order);
  const known = [...outside.secrets, ...(loaded.kind === 'ok' ? secretsOf(loaded.config) : []), ...config.secrets];
  const redact = createTextRedactor(known.flatMap(secretParts));
  const folder = join(order.dataDir, 'logs');
  const { logs, notes } = await findLogs(folder, order.limits);
  const text = (name: string, content: () => string | Promise<string>): ZipEntry => ({
    name,
    content: async () => redact(await content()),
  });
  const json = (name: string, value: unknown) => text(name, () => `${JSON.stringify(value, null, 2)}\n`);
  const entries = [
    text('about.txt', () => ABOUT),
    text('doctor.txt', () => diagnosisText(diagnosis)),
    json('doctor.json', diagnosis),
    text('config.ini', () => config.text),
    json('settings.json', settingsOf(loaded, outside.entities)),
    json('iconik.json', entitiesOf(outside.entities)),
    json('cluster.json', outside.cluster ?? { problem: 'There is no cluster database, or it did not answer.' }),
    ...(order.appState === undefined ? [] : [text('app-state.json', readState(order.appState))]),
    json('versions.json', versions),
    text('data-folder.txt', () => listFolder(order.dataDir)),
    ...logs.map((log) =>
      text(`logs/${log.name}`, async () => {
        const { text: found, ...note } = await readLog(folder, log);
        notes.push(note);
        return found;
      }),
    ),
    text('logs.txt', () => notesText(folder, notes)),
  ];
  let at = 0;
  const onEntry = (name: string) => {
    onProgress({ doing: `Packing ${name}`, share: LOOKED + ((1 - LOOKED) * at) / entries.length });
    at += 1;
  };
  await zipAtomically(entries, { file, signal, onEntry, ...(open && { open }) });
}

function configOf({ configText, configPath }: BundleOrder): { text: string; secrets: string[] } {
  try {
    const text = configText();
    if (text === null) return { text: `; there is no ${configPath}\n`, secrets: [] };
    return { text: `; ${configPath}\n${redactConfig(text)}\n`, secrets: secretsOfConfig(text) };
  } catch (thrown) {
    return { text: `; ${configPath} cannot be read: ${codeOf(thrown)}\n`, secrets: [] };
  }
}

const readState = (path: string) => () =>
  readFile(path, 'utf8').catch((thrown: unknown) => JSON.stringify({ problem: `not readable: ${codeOf(thrown)}` }));

function notesText(folder: string, notes: readonly LogNote[]): string {
  const lines = notes.map(({ name, sizeBytes, taken }) => `${String(sizeBytes).padStart(14)}  ${name}: ${taken}\n`);
  return `${folder}\n${lines.join('')}`;
}
