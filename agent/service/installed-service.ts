import { parseFlags } from '../config/flags.ts';
import type { ServicePlatform } from './service-rules.ts';
import { readSystemdArguments } from './systemd-words.ts';
import { accountOfTask } from './windows-plan.ts';
import { splitWindowsCommandLine } from './windows-words.ts';

/** What the definition of an installed service says of it. */
export interface InstalledService {
  configPath: string;
  dataDir: string;
  user: string;
  /** Undefined on Windows. */
  group: string | undefined;
}

/** Words of a command line, the program among them, and who runs it; null where the text does not say. */
interface Definition {
  words: readonly string[] | null;
  user: string | undefined;
  group: string | undefined;
}

/**
 * Reads back what an installation has written: unit, property list or task. So removing a service works on the folders that it
 * has, not on those that today's flags and config.ini would name. Null when the text is none of ours. Pure.
 */
export function readDefinition(platform: ServicePlatform, text: string): InstalledService | null {
  const { words, user, group } = READERS[platform](text);
  const at = words?.indexOf('--service') ?? -1;
  if (words === null || at < 0 || user === undefined) return null;
  const { flags, problems } = parseFlags(words.slice(at));
  if (problems.length > 0 || flags.config === undefined || flags.dataDir === undefined) return null;
  return { configPath: flags.config, dataDir: flags.dataDir, user, group };
}

const READERS: Readonly<Record<ServicePlatform, (text: string) => Definition>> = {
  linux: (text) => {
    const value = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(text)?.[1];
    return { words: readSystemdArguments(value('ExecStart') ?? ''), user: value('User'), group: value('Group') };
  },
  darwin: (text) => {
    const value = (key: string) => {
      const found = new RegExp(`<key>${key}</key>\\s*<string>([^<]*)</string>`).exec(text)?.[1];
      return found === undefined ? undefined : unescaped(found);
    };
    const list = /<key>ProgramArguments<\/key>\s*<array>([\s\S]*?)<\/array>/.exec(text)?.[1];
    const words =
      list === undefined
        ? null
        : [...list.matchAll(/<string>([^<]*)<\/string>/g)].map(([, word = '']) => unescaped(word));
    return { words, user: value('UserName'), group: value('GroupName') };
  },
  win32: (text) => {
    const line = /<Arguments>([^<]*)<\/Arguments>/.exec(text)?.[1];
    const user = /<UserId>([^<]*)<\/UserId>/.exec(text)?.[1];
    return {
      words: line === undefined ? null : splitWindowsCommandLine(unescaped(line)),
      user: user === undefined ? undefined : accountOfTask(unescaped(user)),
      group: undefined,
    };
  },
};

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"' };
const unescaped = (xml: string): string =>
  xml.replace(/&(amp|lt|gt|quot);/g, (all, name: string) => ENTITIES[name] ?? all);
