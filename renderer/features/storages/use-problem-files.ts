import { useCallback, useEffect, useRef, useState } from 'react';
import type { ProblemFile } from '../../../agent/contract/index.ts';
import { asBridgeError, callBridge } from '../../bridge/call.ts';
import { joinProblems } from './problem-groups.ts';

/** Files a page. */
const PAGE_FILES = 200;

/** The problem files of a storage as far as they have been read. */
export interface ProblemFiles {
  files: readonly ProblemFile[];
  /** Whether the first page has come. */
  isLoaded: boolean;
  isReading: boolean;
  hasMore: boolean;
  error: string | null;
  readMore: () => void;
  /** Reads anew from the beginning. */
  reload: () => void;
}

const START = { files: [] as readonly ProblemFile[], cursor: null as string | null, isLoaded: false };

/** Reads page after page as asked. */
export function useProblemFiles(storageId: string): ProblemFiles {
  const [read, setRead] = useState(START);
  const [isReading, setIsReading] = useState(false);
  const [error, setError] = useState<string | null>(null);
  /** Tells answers for an earlier beginning from those for this one. */
  const turn = useRef(0);
  const readPage = useCallback(
    async (before: typeof START) => {
      turn.current += 1;
      const mine = turn.current;
      setIsReading(true);
      setError(null);
      try {
        const page = await callBridge('storages.problems', { storageId, cursor: before.cursor, limit: PAGE_FILES });
        if (mine !== turn.current) return;
        setRead({ files: joinProblems(before.files, page.rows), cursor: page.nextCursor, isLoaded: true });
      } catch (thrown) {
        if (mine === turn.current) setError(asBridgeError(thrown).message);
      }
      if (mine === turn.current) setIsReading(false);
    },
    [storageId],
  );
  useEffect(() => {
    void readPage(START);
    return () => {
      turn.current += 1;
    };
  }, [readPage]);
  return {
    files: read.files,
    isLoaded: read.isLoaded,
    isReading,
    hasMore: read.isLoaded && read.cursor !== null,
    error,
    readMore: () => void readPage(read),
    reload: () => void readPage(START),
  };
}
