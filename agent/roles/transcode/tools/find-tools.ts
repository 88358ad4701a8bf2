import { access, constants, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import { createLineSplitter } from '../ffmpeg/output-tail.ts';
import { type ChildWatch, runProgram } from '../ffmpeg/run-program.ts';

/** What ffmpeg cannot read is read by one of these, where the machine has it. */
export type ToolKind = 'imagemagick' | 'heif' | 'raw' | 'pdf' | 'office';

/** A program that was found. */
export interface FoundTool {
  /** Absolute path. */
  path: string;
  /** File name of the program, which decides how it is called (`magick` and `convert`, `heif-convert` and `heif-dec`). */
  name: string;
}

/** What this machine has; null = not found. */
export type Tools = Record<ToolKind, FoundTool | null>;

/** No tool at all: what a node has before it has looked. */
export const NO_TOOLS: Tools = { imagemagick: null, heif: null, raw: null, pdf: null, office: null };

/** One kind: the programs that can do it, best first, how each shows that it is the real one, and how people call it. */
interface ToolRule {
  names: readonly string[];
  /** Arguments that make it say who it is; null = its name is enough. */
  ask: readonly string[] | null;
  answer: RegExp;
  called: string;
}

const RULES: Record<ToolKind, ToolRule> = {
  // `convert` is also the name of a disk tool of Windows, and of scripts.
  imagemagick: {
    names: ['magick', 'convert'],
    ask: ['-version'],
    answer: /^Version: ImageMagick/,
    called: 'ImageMagick',
  },
  heif: { names: ['heif-convert', 'heif-dec'], ask: null, answer: /^/, called: 'heif-convert (libheif)' },
  raw: { names: ['dcraw'], ask: null, answer: /^/, called: 'dcraw' },
  pdf: { names: ['pdftoppm'], ask: null, answer: /^/, called: 'pdftoppm (poppler)' },
  office: { names: ['soffice', 'libreoffice'], ask: null, answer: /^/, called: 'LibreOffice (soffice)' },
};

/** How long a program may take to say who it is. */
const ANSWER_MS = 10_000;

/** Where to look. */
export interface ToolSearch {
  /** Value of PATH; absent = this process's. */
  searchPath?: string | undefined;
  guard: ChildWatch;
  signal: AbortSignal;
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    // Not there or not executable: both mean that it cannot be used.
    return false;
  }
}

async function answers(path: string, rule: ToolRule, search: ToolSearch): Promise<boolean> {
  if (rule.ask === null) return true;
  const lines: string[] = [];
  const splitter = createLineSplitter((line) => lines.length < 5 && lines.push(line));
  const { guard, signal } = search;
  const onStdout = (chunk: string) => splitter.push(chunk);
  try {
    await runProgram({ program: path, args: rule.ask, guard, signal, stallMs: ANSWER_MS, onStdout });
  } catch {
    // Ignored because a program that cannot be run is no tool; the next one is tried.
    signal.throwIfAborted();
    return false;
  }
  splitter.end();
  return lines.some((line) => rule.answer.test(line));
}

async function findTool(rule: ToolRule, search: ToolSearch): Promise<FoundTool | null> {
  const directories = (search.searchPath ?? process.env.PATH ?? '')
    .split(delimiter)
    .filter((entry) => isAbsolute(entry));
  for (const name of rule.names) {
    for (const directory of directories) {
      const path = join(directory, process.platform === 'win32' ? `${name}.exe` : name);
      if ((await isProgram(path)) && (await answers(path, rule, search))) return { path, name };
    }
  }
  return null;
}

/** Looks for every tool in PATH. Never throws but for the signal: a tool that is not there is null. */
export async function findTools(search: ToolSearch): Promise<Tools> {
  const [imagemagick, heif, raw, pdf, office] = await Promise.all([
    findTool(RULES.imagemagick, search),
    findTool(RULES.heif, search),
    findTool(RULES.raw, search),
    findTool(RULES.pdf, search),
    findTool(RULES.office, search),
  ]);
  return { imagemagick, heif, raw, pdf, office };
}

/** Why a file was passed over, for people: which tools would read it, and what to do. */
export function wordsForLack(what: string, kinds: readonly ToolKind[]): string {
  const tools = kinds.map((kind) => RULES[kind].called);
  return `${what} needs ${tools.join(' or ')}, which this node has not found in PATH. Nothing was made; install it and order the proxy anew.`;
}
