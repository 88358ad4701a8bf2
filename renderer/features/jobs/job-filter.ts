import {
  type AgentParams,
  type JobState,
  jobStateSchema,
  type Role,
  roleSchema,
} from '../../../agent/contract/index.ts';

/** What the jobs table is narrowed to. Empty lists and null mean "all". */
export interface JobFilter {
  roles: readonly Role[];
  states: readonly JobState[];
  storageId: string | null;
  text: string;
  /** Name of the node that has the job now. Only running jobs are on a node, so it narrows the states to running. */
  nodeName: string | null;
}

/** No narrowing. */
export const ALL_JOBS: JobFilter = { roles: [], states: [], storageId: null, text: '', nodeName: null };

/** Longest search text the contract takes. */
export const MOST_TEXT = 200;

/** The states that are asked for: a node has only running jobs. */
export function effectiveStates(filter: JobFilter): readonly JobState[] {
  return filter.nodeName === null ? filter.states : ['leased'];
}

/** Parameters of `jobs.list` for a page. */
export function listParams(filter: JobFilter, cursor: string | null, limit: number): AgentParams<'jobs.list'> {
  return {
    roles: [...filter.roles],
    states: [...effectiveStates(filter)],
    storageId: filter.storageId,
    nodeName: filter.nodeName,
    text: filter.text.trim().slice(0, MOST_TEXT),
    cursor,
    limit,
  };
}

/** Whether anything is narrowed. */
export function isNarrowed(filter: JobFilter): boolean {
  return (
    filter.roles.length > 0 ||
    filter.states.length > 0 ||
    filter.storageId !== null ||
    filter.nodeName !== null ||
    filter.text.trim() !== ''
  );
}

/** One text for a filter: equal for filters that ask for the same jobs. */
export function filterKey(filter: JobFilter): string {
  const sorted = [[...filter.roles].sort(), [...effectiveStates(filter)].sort()];
  return JSON.stringify([...sorted, filter.storageId, filter.text.trim(), filter.nodeName]);
}

/** The list with `item` added or, when it is there, removed. */
export function toggled<Item>(items: readonly Item[], item: Item): Item[] {
  return items.includes(item) ? items.filter((each) => each !== item) : [...items, item];
}

/** What another screen narrows the table to; lists by commas, unknown words are left out. */
export function filterFromRoute(params: Readonly<Record<string, string>>): JobFilter {
  const listed = (text: string | undefined) => (text ?? '').split(',').map((word) => word.trim());
  const roles = listed(params.roles ?? params.role);
  const states = listed(params.states ?? params.state);
  return {
    roles: roles.flatMap((word) => roleSchema.safeParse(word).data ?? []),
    states: states.flatMap((word) => jobStateSchema.safeParse(word).data ?? []),
    storageId: params.storageId ?? params.storage ?? null,
    nodeName: params.node ?? null,
    text: (params.text ?? '').slice(0, MOST_TEXT),
  };
}
