import type { FromAgent } from '../../agent/contract/index.ts';
import type { CallTable } from './agent-calls.ts';

/** What an agent sends alike, whether it is a child of this process or a service. */

type SharedMessage = Extract<FromAgent, { type: 'beat' | 'snapshot' | 'log' | 'answer' | 'refusal' }>;
type Of<Type extends FromAgent['type']> = Extract<FromAgent, { type: Type }>;

/** Who takes what the agent tells of itself. */
export interface AgentListener {
  onSnapshot(snapshot: Of<'snapshot'>['snapshot']): void;
  onLogLines(lines: Of<'log'>['lines']): void;
}

/** Hands a message to whom it is for. A beat says only that the agent is there, which its coming has said. */
export function handOver(message: SharedMessage, listener: AgentListener, calls: CallTable): void {
  switch (message.type) {
    case 'beat':
      break;
    case 'snapshot':
      listener.onSnapshot(message.snapshot);
      break;
    case 'log':
      listener.onLogLines(message.lines);
      break;
    case 'answer':
      calls.onAnswer(message.id, message.value);
      break;
    case 'refusal':
      calls.onRefusal(message.id, message.error);
  }
}
