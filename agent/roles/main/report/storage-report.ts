import type { CheckResult } from '../../../contract/index.ts';
import type { StorageFigures } from '../../../db/queries/report.ts';
import { clip, ERROR_LINES, LOG_LINES, logLineFields } from './log-lines.ts';

// What iconik is told about a storage. Pure.

/** The node that reports. */
export interface ReportingNode {
  version: string;
  hostName: string;
  hostInfo: string;
  /** How the agent's start went. */
  startStatus: 'SUCCESS' | 'FAILED';
  startStatusMessage: string;
  /** How the node stands now, as its telemetry says it. */
  status(): GatewayStatus;
}

/** Status of a gateway in reports (reference A.11). */
export type GatewayStatus = 'LIVE' | 'WARNING' | 'ERROR' | 'STOPPED';

/** How the storage stands, besides its figures. */
export interface StorageStanding {
  /** Verdict of the health check; null when there is none yet. */
  health: CheckResult | null;
  /** Whether the storage's settings ask for scanning. */
  scans: boolean;
}

/** Largest value of the counters' format int32. */
const INT32_MAX = 2_147_483_647;
const HOST_LENGTH = 1000;
const VERSION_LENGTH = 100;

const count = (value: number) => Math.min(INT32_MAX, Math.max(0, Math.trunc(value)));

/** The gateway's status as far as this storage goes: what ails the storage or the node, whichever is worse. */
export function gatewayStatus(figures: StorageFigures, health: CheckResult | null, node: GatewayStatus): GatewayStatus {
  if (node === 'STOPPED') return node;
  if (node === 'ERROR' || health?.status === 'failing' || figures.problem !== null) return 'ERROR';
  return node === 'WARNING' || health?.status === 'warning' ? 'WARNING' : 'LIVE';
}

/** Part of the log lines that is left to refused files. */
const REFUSED_ERRORS = 5;

/** The storage's log in iconik: what was logged about it, with the files that were refused and why. */
function logOf(figures: StorageFigures, lines: { log: readonly string[]; error: readonly string[] }) {
  const refused = figures.refused.map(
    ({ path, message }) => `Not ingested: ${path}: ${message ?? 'no reason is known'}`,
  );
  const { badSidecars } = figures;
  const counted =
    badSidecars === 0
      ? []
      : [`Sidecars that cannot be used until they are corrected: ${badSidecars}. Each is named once.`];
  const about = [...counted, ...refused];
  const errors = [...counted, ...refused.slice(-REFUSED_ERRORS)];
  return logLineFields(
    [...about, ...lines.log.slice(-(LOG_LINES - about.length))],
    [...errors, ...lines.error.slice(-(ERROR_LINES - errors.length))],
  );
}

/**
 * Body of `PUT gateway/report` (reference C.5). What a preview transcode is, is not published; no job here is called one, so
 * their number is 0.
 */
export function reportBody(
  figures: StorageFigures,
  node: ReportingNode,
  about: { health: CheckResult | null; log: readonly string[]; error: readonly string[] },
): Record<string, unknown> {
  return {
    status: gatewayStatus(figures, about.health, node.status()),
    version: clip(node.version, VERSION_LENGTH),
    host_name: clip(node.hostName, HOST_LENGTH),
    host_info: clip(node.hostInfo, HOST_LENGTH),
    start_status: node.startStatus,
    start_status_message: clip(node.startStatusMessage, HOST_LENGTH),
    total_files_number: count(figures.totalFiles),
    total_folders_number: count(figures.totalFolders),
    scanned_files_number: count(figures.scannedFiles),
    ingested_files_number: count(figures.ingestedFiles),
    ingesting_files_number: count(figures.ingestingFiles),
    ingested_files_uploads_number: count(figures.waitingUploads),
    await_checksum_files_number: count(figures.awaitChecksumFiles),
    missing_files_number: count(figures.missingFiles),
    skipped_files_number: count(figures.skippedFiles),
    faulty_files_number: count(figures.faultyFiles),
    empty_files_number: count(figures.emptyFiles),
    exported_files_number: count(figures.exportedFiles),
    waiting_transcode_jobs_number: count(figures.waitingTranscodes),
    waiting_preview_transcode_jobs_number: 0,
    ...(figures.lastScanSeconds === null ? {} : { last_scan_time: count(figures.lastScanSeconds) }),
    ...logOf(figures, about),
  };
}

/** What `PATCH storages/{id}` changes; fields about which nothing is known are left out. */
export interface StorageStatus {
  scanner_status: 'ACTIVE' | 'INACTIVE' | 'FAILING';
  status?: 'ACTIVE' | 'FAILING';
  /** Why it fails; empty when it does not. */
  status_message?: string;
  /** End of the last full scan. */
  last_scanned?: string;
}

/** How the storage stands, in iconik's words (reference A.11). Nothing measured yet is no claim in either direction. */
export function storageStatus(figures: StorageFigures, standing: StorageStanding): StorageStatus {
  const { health } = standing;
  const failing = health?.status === 'failing';
  const trouble = failing ? `${health.reason} ${health.remedy}`.trim() : figures.problem;
  const measured = failing || figures.problem !== null || (health !== null && health.status !== 'unknown');
  return {
    scanner_status: !standing.scans ? 'INACTIVE' : trouble !== null ? 'FAILING' : 'ACTIVE',
    ...(measured
      ? {
          status: trouble === null ? ('ACTIVE' as const) : ('FAILING' as const),
          status_message: clip(trouble ?? '', HOST_LENGTH),
        }
      : {}),
    ...(figures.lastScanEndedAt === null ? {} : { last_scanned: figures.lastScanEndedAt }),
  };
}
