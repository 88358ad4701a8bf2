import { useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, type MouseEvent, type ReactNode, useEffect, useMemo, useRef, useState } from 'react';
import { rowForKey } from '../../ui/grid-keys.ts';
import { clickedRow, GRID, GRID_HEADING, GRID_ROWS, gridRow } from '../../ui/grid-roles.ts';
import { JobTableGhost, JobTableRow, jobRowId } from './JobTableRow.tsx';
import { scrollableRows } from './job-list.ts';
import type { JobReader, JobReaderState } from './job-reader.ts';
import './jobs.css';

const ROW_PX = 44;
const HEAD_PX = 32;
const COLUMNS = ['State', 'Kind', 'File', 'Progress', 'Storage', 'Node', 'Priority', 'Attempts', 'Last change'];
const NUMBERS = new Set(['Priority', 'Attempts', 'Last change']);

function Head() {
  return (
    <div {...gridRow(1)} className="isg-job-row isg-job-head">
      {COLUMNS.map((name) => (
        <span
          key={name}
          {...GRID_HEADING}
          className={`${NUMBERS.has(name) ? 'isg-num' : ''} isg-job-head-${name.toLowerCase().replace(' ', '-')}`}
        >
          {name}
        </span>
      ))}
    </div>
  );
}

/** What the table needs of its screen. */
export interface JobTableProps {
  reader: JobReader;
  state: JobReaderState;
  selectedJobId: string | null;
  onSelect: (jobId: string) => void;
  /** Enter on a row: its details are wanted with the keyboard. */
  onOpen: (jobId: string) => void;
  onEscape: () => void;
  storageName: (storageId: string | null) => string;
  /** Shown instead of rows when there are none. */
  placeholder: ReactNode;
}

function useTableWindow({ reader, state }: JobTableProps) {
  const { rows } = state.list;
  const scroller = useRef<HTMLDivElement>(null);
  const count = scrollableRows(state.list);
  const virtualizer = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
    scrollMargin: HEAD_PX,
    scrollPaddingStart: HEAD_PX,
  });
  const items = virtualizer.getVirtualItems();
  const firstIndex = items[0]?.index ?? 0;
  const lastIndex = items.at(-1)?.index ?? 0;
  // biome-ignore lint/correctness/useExhaustiveDependencies: rows that arrive can leave others in view still missing.
  useEffect(() => reader.show(firstIndex, lastIndex), [reader, firstIndex, lastIndex, rows.length, state.isOutdated]);
  return { scroller, count, virtualizer, items };
}

/** The row that has the keyboard: by its job, so that it goes along when the list moves; by index while it is being read. */
function useActiveRow(rows: JobReaderState['list']['rows']) {
  const [active, setActive] = useState<{ index: number; jobId: string | null } | null>(null);
  const index = useMemo(() => {
    if (active === null || active.jobId === null || rows[active.index]?.jobId === active.jobId)
      return active?.index ?? null;
    const at = rows.findIndex(({ jobId }) => jobId === active.jobId);
    return at === -1 ? active.index : at;
  }, [active, rows]);
  const activate = (to: number) => setActive({ index: to, jobId: rows[to]?.jobId ?? null });
  return { activeIndex: index, activate };
}

/** Keys and clicks of the table. */
function useTableInput(props: JobTableProps, { scroller, count, virtualizer }: ReturnType<typeof useTableWindow>) {
  const { reader, state, selectedJobId, onSelect, onOpen, onEscape } = props;
  const { rows } = state.list;
  const { activeIndex, activate } = useActiveRow(rows);
  const onClick = (event: MouseEvent) => {
    const jobId = clickedRow(event.target, 'job-id');
    if (jobId === null) return;
    activate(rows.findIndex((row) => row.jobId === jobId));
    onSelect(jobId);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Escape') return onEscape();
    const job = activeIndex === null ? undefined : rows[activeIndex];
    if (event.key === 'Enter' && job) {
      event.preventDefault();
      return onOpen(job.jobId);
    }
    const pageRows = Math.floor(((scroller.current?.clientHeight ?? 0) - HEAD_PX) / ROW_PX);
    const to = rowForKey(event.key, { active: activeIndex, count, pageRows });
    if (to === null) return;
    event.preventDefault();
    activate(to);
    virtualizer.scrollToIndex(to, { align: 'auto' });
    const next = rows[to];
    if (next && selectedJobId !== null) onSelect(next.jobId);
  };
  const onPointerEnter = () => reader.hold(true);
  const onPointerLeave = () => {
    reader.hold(false);
    if (state.list.departed.size > 0) reader.refresh();
  };
  return { activeIndex, onClick, onKeyDown, onPointerEnter, onPointerLeave };
}

/**
 * The virtual table of jobs: a grid whose rows are reached by the arrow keys. Rows not read yet are drawn as ghosts, so that
 * the scroll bar tells the truth. While the pointer is over it, rows keep their order.
 */
export function JobTable(props: JobTableProps) {
  const { state, selectedJobId, storageName, placeholder } = props;
  const { rows } = state.list;
  const tableWindow = useTableWindow(props);
  const { scroller, count, virtualizer, items } = tableWindow;
  const { activeIndex, ...handlers } = useTableInput(props, tableWindow);
  const grid = {
    ...GRID,
    'aria-label': 'Jobs',
    'aria-rowcount': count + 1,
    'aria-colcount': COLUMNS.length,
    'aria-activedescendant': activeIndex !== null && rows[activeIndex] ? jobRowId(activeIndex) : undefined,
  };
  return (
    <>
      <div
        ref={scroller}
        className={`isg-job-grid${state.isOutdated ? ' isg-job-outdated' : ''}`}
        {...grid}
        {...handlers}
        data-testid="job-table"
      >
        <Head />
        <div
          {...(count === 0 ? {} : GRID_ROWS)}
          className="isg-job-sizer"
          style={{ height: virtualizer.getTotalSize() }}
        >
          {items.map(({ index, start }) => {
            const job = rows[index];
            if (!job) return <JobTableGhost key={index} index={index} topPx={start - HEAD_PX} />;
            return (
              <JobTableRow
                key={job.jobId}
                job={job}
                index={index}
                topPx={start - HEAD_PX}
                isActive={index === activeIndex || job.jobId === selectedJobId}
                isDeparted={state.list.departed.has(job.jobId)}
                storageName={storageName(job.storageId)}
              />
            );
          })}
        </div>
      </div>
      {count === 0 ? <div className="isg-job-placeholder">{placeholder}</div> : null}
    </>
  );
}
