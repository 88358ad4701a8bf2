import {
  type ErrorDetail,
  LINK_CALLS,
  type LinkAnswer,
  type LinkCallName,
  type LinkParams,
  type ToAgent,
} from '../../agent/contract/index.ts';

/** A call that the agent refused, or that did not reach it. `code` is the agent's own, or one of the four of this file. */
export class AgentCallError extends Error {
  readonly code: string;
  readonly retry: 'transient' | 'permanent';

  constructor(detail: ErrorDetail) {
    super(detail.message);
    this.name = 'AgentCallError';
    this.code = detail.code;
    this.retry = detail.retry;
  }
}

/** Most calls read memory or one row; the screen says so when that takes longer. */
const CALL_LIMIT_MS = 20_000;
/** These wait for iconik or for a mount, each of which has a deadline of its own in the agent. */
const SLOW_CALL_LIMIT_MS = 90_000;
const SLOW_CALLS = new Set<LinkCallName>([
  'setup.look',
  'setup.create-gateway',
  'setup.test-mount',
  'setup.set-mounts',
  'cluster.set-enabled',
  'settings.write',
  'logs.send',
]);

const UNAVAILABLE: ErrorDetail = {
  code: 'agent-unavailable',
  message: 'The agent is not running, so this cannot be done now. Try again when it is back.',
  retry: 'transient',
};
const ENDED: ErrorDetail = {
  code: 'agent-ended',
  message:
    'The agent ended before it answered. What was asked may or may not have been done; look before asking again.',
  retry: 'transient',
};
const SILENT: ErrorDetail = {
  code: 'agent-silent',
  message: 'The agent did not answer in time. What was asked may still be done; look before asking again.',
  retry: 'transient',
};
const UNREADABLE: ErrorDetail = {
  code: 'answer-unreadable',
  message: 'The agent answered in a way this application does not understand. Install ISG Pro again.',
  retry: 'permanent',
};

/** Calls on their way. Each is settled exactly once: by its answer, its refusal, its time limit, or the agent's end. */
export interface CallTable {
  call<Name extends LinkCallName>(name: Name, params: LinkParams<Name>, limitMs?: number): Promise<LinkAnswer<Name>>;
  onAnswer(id: number, value: unknown): void;
  onRefusal(id: number, error: ErrorDetail): void;
  /** The agent is gone: every open call fails. */
  onEnd(): void;
}

interface OpenCall {
  timer: NodeJS.Timeout;
  settle(result: { value: unknown } | { error: AgentCallError }): void;
}

/** A table whose calls go out by `send`, which answers false when there is no agent to send to. */
export function createCallTable(send: (message: ToAgent) => boolean): CallTable {
  const open = new Map<number, OpenCall>();
  let lastId = 0;

  const settle = (id: number, result: { value: unknown } | { error: AgentCallError }) => {
    const call = open.get(id);
    if (call === undefined) return;
    open.delete(id);
    clearTimeout(call.timer);
    call.settle(result);
  };
  const fail = (id: number, detail: ErrorDetail) => settle(id, { error: new AgentCallError(detail) });

  return {
    call: (name, params, limitMs = SLOW_CALLS.has(name) ? SLOW_CALL_LIMIT_MS : CALL_LIMIT_MS) =>
      new Promise((resolve, reject) => {
        lastId += 1;
        const id = lastId;
        open.set(id, {
          timer: setTimeout(() => fail(id, SILENT), limitMs),
          settle: (result) => {
            if ('error' in result) return reject(result.error);
            const parsed = LINK_CALLS[name].answer.safeParse(result.value);
            if (parsed.success) resolve(parsed.data as LinkAnswer<typeof name>);
            else reject(new AgentCallError(UNREADABLE));
          },
        });
        if (!send({ type: 'call', id, name, params })) fail(id, UNAVAILABLE);
      }),
    onAnswer: (id, value) => settle(id, { value }),
    onRefusal: (id, error) => fail(id, error),
    onEnd: () => {
      for (const id of open.keys()) fail(id, ENDED);
    },
  };
}
