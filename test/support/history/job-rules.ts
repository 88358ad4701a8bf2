import type { CheckTimes, Report } from './check.ts';
import { type EventOf, type HistoryEvent, pick } from './events.ts';

/** What must hold of job leases. */
export function jobRules(events: readonly HistoryEvent[], times: CheckTimes, report: Report): void {
  noOldToken(events, report);
  leasedRows(events, times, report);
}

/** Tokens are numbers from a sequence: a lease given after another has the larger one. */
function noOldToken(events: readonly HistoryEvent[], report: Report): void {
  const given: { jobId: string; token: bigint; event: EventOf<'job-claim'> | EventOf<'job-renew'> }[] = [];
  for (const event of events) {
    if (event.kind !== 'job-claim' && event.kind !== 'job-renew') continue;
    for (const { jobId, leaseToken } of event.jobs ?? []) given.push({ jobId, token: BigInt(leaseToken), event });
  }
  for (const end of pick(events, 'job-end')) {
    if (!end.accepted || end.leaseToken === undefined) continue;
    const token = BigInt(end.leaseToken);
    const newer = given.find(
      (lease) => lease.jobId === end.jobId && lease.token > token && lease.event.atMs <= end.startMs,
    );
    if (newer) report('no completion under an old lease token', newer.event, end);
  }
}

/** Follows each job's row: a lease ends by its holder or by the rescue of a dead one, never by another's claim. */
function leasedRows(events: readonly HistoryEvent[], times: CheckTimes, report: Report): void {
  const beats = new Map<string, EventOf<'row-worker'>>();
  const leased = new Map<string, EventOf<'row-job'>>();
  const rows = events.filter((event) => event.kind === 'row-job' || event.kind === 'row-worker');
  for (const row of rows.toSorted((a, b) => a.order - b.order)) {
    if (row.kind === 'row-worker') {
      if (row.beat) beats.set(row.run, row);
      continue;
    }
    const holder = leased.get(row.jobId);
    const isTakenAway = holder && row.wasState === 'leased' && row.leasedBy !== holder.leasedBy;
    if (holder && isTakenAway && row.state === 'leased') report('no claim of a job that is leased', holder, row);
    // `run` of a row is who wrote it; a holder that gives its own job back is no rescue.
    const beat = beats.get(row.wasLeasedBy ?? '');
    if (isTakenAway && row.state === 'queued' && row.run !== holder.leasedBy && beat) {
      if (row.atMs - beat.atMs < times.lapseMs - times.toleranceMs)
        report('no freeing of a living worker’s job', beat, row);
    }
    if (row.state === 'leased') leased.set(row.jobId, row);
    else leased.delete(row.jobId);
  }
}
