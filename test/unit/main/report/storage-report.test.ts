import { describe, expect, it } from 'vitest';
import type { StorageFigures } from '../../../../agent/db/queries/report.ts';
import { clip, logLineFields } from '../../../../agent/roles/main/report/log-lines.ts';
import { gatewayStatus, reportBody, storageStatus } from '../../../../agent/roles/main/report/storage-report.ts';

const figures: StorageFigures = {
  totalFiles: 10,
  ingestedFiles: 4,
  ingestingFiles: 1,
  awaitChecksumFiles: 2,
  missingFiles: 3,
  skippedFiles: 5,
  faultyFiles: 6,
  emptyFiles: 7,
  exportedFiles: 9,
  badSidecars: 0,
  scannedFiles: 9,
  totalFolders: 8,
  lastScanSeconds: 12,
  lastScanEndedAt: '2026-07-01T10:00:00.000000+00:00',
  problem: null,
  waitingUploads: 11,
  waitingTranscodes: 13,
  refused: [],
};
const node = {
  version: '1',
  hostName: 'h',
  hostInfo: 'i',
  startStatus: 'SUCCESS',
  startStatusMessage: '',
  status: () => 'LIVE' as const,
} as const;
const failing = { check: 'storage:nas', status: 'failing', reason: 'It is not mounted.', remedy: 'Mount it.' } as const;
const ok = { check: 'storage:nas', status: 'ok', reason: '', remedy: '' } as const;

const none = { health: null, log: [], error: [] };

describe('gatewayStatus', () => {
  const warning = { ...ok, status: 'warning' } as const;
  const unscanned = { ...figures, problem: 'root unreadable' };
  it.each([
    ['LIVE', figures, ok, 'LIVE'],
    ['LIVE', figures, null, 'LIVE'],
    ['WARNING', figures, warning, 'LIVE'],
    ['WARNING', figures, ok, 'WARNING'],
    ['ERROR', figures, failing, 'LIVE'],
    ['ERROR', unscanned, ok, 'LIVE'],
    ['ERROR', figures, ok, 'ERROR'],
    ['STOPPED', figures, failing, 'STOPPED'],
  ] as const)('is %s by the worse of storage and node', (expected, known, health, node_) => {
    expect(gatewayStatus(known, health, node_)).toBe(expected);
  });
});

describe('reportBody', () => {
  it('tells which files were refused and why, beside the log, within the limits', () => {
    const refused = Array.from({ length: 15 }, (_, at) => ({ path: `f${at}.mov`, message: 'The sidecar is no XML.' }));
    const lines = Array.from({ length: 50 }, (_, at) => `line ${at}`);
    const body = reportBody({ ...figures, refused }, node, { health: ok, log: lines, error: lines });
    const { log_lines: log, error_log_lines: errors } = body as { log_lines: string[]; error_log_lines: string[] };
    expect([log.length, errors.length]).toEqual([50, 10]);
    expect(log[0]).toBe('Not ingested: f0.mov: The sidecar is no XML.');
    expect(log.at(-1)).toBe('line 49');
    expect(errors.slice(0, 6)).toEqual([
      ...refused.slice(10).map(({ path }) => expect.stringContaining(path)),
      'line 45',
    ]);
  });

  it('keeps the limits of the published schema', () => {
    const lines = Array.from({ length: 80 }, (_, at) => `${at} ${'x'.repeat(3000)}`);
    const body = reportBody(
      { ...figures, totalFiles: 5_000_000_000 },
      { ...node, version: 'v'.repeat(300), hostName: 'h'.repeat(3000) },
      { health: ok, log: lines, error: lines },
    );
    expect(body).toMatchObject({ status: 'LIVE', total_files_number: 2_147_483_647, last_scan_time: 12 });
    expect(String(body.version)).toHaveLength(100);
    expect(String(body.host_name)).toHaveLength(1000);
    const { log_lines: log, error_log_lines: errors } = body as { log_lines: string[]; error_log_lines: string[] };
    expect([log.length, errors.length, log[0]?.length]).toEqual([50, 10, 2000]);
    expect(log.at(-1)).toMatch(/^79 /);
  });

  it('leaves the scan time out before the first scan', () => {
    expect(reportBody({ ...figures, lastScanSeconds: null }, node, none)).not.toHaveProperty('last_scan_time');
  });
});

describe('storageStatus', () => {
  it('is active when health is good and the scan works', () => {
    expect(storageStatus(figures, { health: ok, scans: true })).toEqual({
      scanner_status: 'ACTIVE',
      status: 'ACTIVE',
      status_message: '',
      last_scanned: figures.lastScanEndedAt,
    });
  });

  it('fails with the reason of the health check or of the scan', () => {
    const unwell = storageStatus(figures, { health: failing, scans: true });
    expect(unwell).toMatchObject({
      scanner_status: 'FAILING',
      status: 'FAILING',
      status_message: 'It is not mounted. Mount it.',
    });
    const unscanned = storageStatus({ ...figures, problem: 'root unreadable' }, { health: ok, scans: true });
    expect(unscanned).toMatchObject({
      scanner_status: 'FAILING',
      status: 'FAILING',
      status_message: 'root unreadable',
    });
  });

  it('claims nothing about a storage that nobody has measured', () => {
    expect(storageStatus(figures, { health: null, scans: false })).toEqual({
      scanner_status: 'INACTIVE',
      last_scanned: figures.lastScanEndedAt,
    });
  });
});

describe('log lines', () => {
  it('are never cut inside a character', () => {
    expect(clip('ab😀', 3)).toBe('ab');
    expect(logLineFields(['a'], []).log_lines).toEqual(['a']);
  });
});
