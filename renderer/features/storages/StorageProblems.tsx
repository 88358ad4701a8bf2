import { Button } from '@mantine/core';
import { useMemo, useState } from 'react';
import type { ProblemFile, StorageState } from '../../../agent/contract/index.ts';
import { EmptyState } from '../../ui/EmptyState.tsx';
import { ErrorNotice } from '../../ui/ErrorNotice.tsx';
import { formatBytes, formatCount, plural } from '../../ui/format.ts';
import { SkeletonRows } from '../../ui/SkeletonRows.tsx';
import { type Status, StatusShape } from '../../ui/StatusMark.tsx';
import { groupProblems, type ProblemGroup } from './problem-groups.ts';
import { fileStateWord, problemCount } from './storage-words.ts';
import { useProblemFiles } from './use-problem-files.ts';
import './storages.css';

/** Files of a group drawn at once. */
const STEP = 50;
/** Only what the tab's number counts is marked as trouble; empty and skipped files are told, no more. */
const SHAPES: Readonly<Record<string, Status>> = { faulty: 'failing', missing: 'warning' };

function FileList({ files }: { files: readonly ProblemFile[] }) {
  const [most, setMost] = useState(STEP);
  return (
    <>
      <ul className="isg-problem-files">
        {files.slice(0, most).map(({ path, sizeBytes }) => (
          <li key={path}>
            <span className="isg-mono">{path}</span>
            <span className="isg-num isg-dim">{formatBytes(sizeBytes)}</span>
          </li>
        ))}
      </ul>
      {files.length > most ? (
        <button type="button" className="isg-link isg-problem-more" onClick={() => setMost(most + STEP * 4)}>
          Show {formatCount(Math.min(STEP * 4, files.length - most))} more of {formatCount(files.length)}
        </button>
      ) : null}
    </>
  );
}

function Group({ group, isOpen, hasMore }: { group: ProblemGroup; isOpen: boolean; hasMore: boolean }) {
  return (
    <details className="isg-problem-group" open={isOpen} data-testid="problem-group">
      <summary>
        <StatusShape status={SHAPES[group.state] ?? 'unknown'} size={14} />
        <span className="isg-problem-state">{fileStateWord(group.state)}</span>
        <span className="isg-problem-reason">{group.reason}</span>
        <span className="isg-num">
          {plural(group.files.length, 'file')}
          {hasMore ? ' so far' : ''}
        </span>
      </summary>
      <FileList files={group.files} />
    </details>
  );
}

/** The storage's files that need attention, by reason. */
export function StorageProblems({ storage, canRead }: { storage: StorageState; canRead: boolean }) {
  const { files, isLoaded, isReading, hasMore, error, readMore, reload } = useProblemFiles(storage.id);
  const groups = useMemo(() => groupProblems(files), [files]);
  if (error !== null && canRead) {
    const again = (
      <Button variant="default" loading={isReading} onClick={isLoaded ? readMore : reload}>
        Read again
      </Button>
    );
    return <ErrorNotice cause={error} consequence="The files cannot be listed now." action={again} isLive />;
  }
  if (!isLoaded) {
    if (canRead) return <SkeletonRows rows={4} label="Reading problem files" />;
    return <EmptyState title="Files cannot be listed while the agent is down" />;
  }
  if (files.length === 0) {
    return <EmptyState title="No problem files">No file of this storage is missing or faulty.</EmptyState>;
  }
  return (
    <div data-testid="storage-problems">
      {groups.map((group) => (
        <Group key={group.key} group={group} isOpen={groups.length === 1} hasMore={hasMore} />
      ))}
      <div className="isg-row isg-problem-foot">
        <span className="isg-dim isg-small">
          {hasMore
            ? `${formatCount(files.length)} of about ${formatCount(Math.max(files.length, problemCount(storage)))} files read.`
            : `${plural(files.length, 'file')} in ${plural(groups.length, 'group')}.`}
        </span>
        <span className="isg-spacer" />
        <Button variant="default" loading={isReading} disabled={!canRead} onClick={reload}>
          Read again
        </Button>
        {hasMore ? (
          <Button variant="default" loading={isReading} disabled={!canRead} onClick={readMore}>
            Read more
          </Button>
        ) : null}
      </div>
    </div>
  );
}
