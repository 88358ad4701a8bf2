import { useEffect, useState } from 'react';
import type { AgentState } from '../../../preload/contract/app-state.ts';
import { agentAbsence } from '../agent-words.ts';
import type { LogSource } from './log-reader.ts';

/** So long an agent that was there may be silent before its log is read from the text files. */
const PATIENCE_MS = 10_000;

/**
 * Where lines are read from, by the agent's state. A short silence, of a busy machine or of a laptop that wakes, changes
 * nothing: changing over begins the view anew at its end, wherever its reader was. A view that is opened during a silence
 * does not wait.
 */
export function useLogSource(state: AgentState['state'] | undefined): LogSource {
  const isSilent = state === 'unresponsive';
  const [isLong, setIsLong] = useState(isSilent);
  useEffect(() => {
    if (!isSilent) return;
    const timer = setTimeout(() => setIsLong(true), PATIENCE_MS);
    return () => {
      clearTimeout(timer);
      setIsLong(false);
    };
  }, [isSilent]);
  if (isSilent) return isLong ? 'files' : 'agent';
  return agentAbsence(state) === null ? 'agent' : 'files';
}
