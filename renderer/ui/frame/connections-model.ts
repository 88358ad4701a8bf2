import type { CheckResult, NodeSnapshot } from '../../../agent/contract/index.ts';
import { type Freshness, isBelievable } from '../../state/freshness.ts';
import { gravest } from '../gravest.ts';
import type { Status } from '../StatusMark.tsx';

/** One verdict behind a light. */
export interface ConnectionDetail {
  name: string;
  status: Status;
  reason: string;
  remedy: string;
}

/** One of the three lights of the header. */
export interface Connection {
  id: 'database' | 'iconik' | 'storages';
  label: string;
  status: Status;
  /** The light in one word, for those who cannot see the shape. */
  word: string;
  details: readonly ConnectionDetail[];
}

const WORDS: Record<Status, string> = { ok: 'healthy', failing: 'failing', warning: 'warning', unknown: 'unknown' };

const NOT_KNOWN = 'Not known now, because the agent does not report.';

function light(id: Connection['id'], label: string, details: ConnectionDetail[], believe: boolean): Connection {
  const shown = believe
    ? details
    : details.map((detail) => ({
        ...detail,
        status: 'unknown' as const,
        reason: `${NOT_KNOWN} Last known: ${WORDS[detail.status]}.`,
        remedy: '',
      }));
  const status = gravest(shown.map((detail) => detail.status));
  return { id, label, status, word: WORDS[status], details: shown };
}

/** Database, iconik and storages as lights. Without believable data every light is unknown. */
export function connections(snapshot: NodeSnapshot | null, fresh: Freshness): Connection[] {
  const believe = isBelievable(fresh);
  const named = (name: string, check: CheckResult | undefined): ConnectionDetail => ({
    name,
    status: check?.status ?? 'unknown',
    reason: check?.reason ?? 'Not checked yet.',
    remedy: check?.remedy ?? '',
  });
  const find = (id: string) => snapshot?.checks.find(({ check }) => check === id);
  const storages = (snapshot?.storages ?? []).map(({ name, health }) => named(name, health));
  return [
    light('database', 'Database', [named('Database', find('database'))], believe),
    light('iconik', 'iconik', [named('iconik', find('iconik'))], believe),
    light('storages', 'Storages', storages, believe),
  ];
}
