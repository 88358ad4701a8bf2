import { z } from 'zod';

// What an order of a transfer says besides what and where to (reference C.13, A2.4): overwriting, exports, deletions
// afterwards. Pure. A field is either honoured, or the order fails before a byte has moved, or, where only the deletion
// after the copy cannot be proven right, the copy is made, the source is kept, and the job ends with a warning. What each
// field does is in agent/roles/transfer/README.md.

const flag = z.boolean().nullish();
const text = z.string().nullish();

/** The fields of `transfers_to` and `transfers_from` that are terms. */
export const termFields = {
  overwrite: flag,
  add_file_set: flag,
  include_original_extension: flag,
  destination_base_directory: text,
  delete_local_file_set_after_upload: flag,
  delete_source_file_set_after_download: flag,
  delete_remote_file_set_after_download: flag,
  delete_only_from_source_folder: flag,
  export_original: flag,
  export_proxy: flag,
  export_posters: flag,
  export_metadata_format: text,
  export_metadata_view: text,
  export_transcription_format: text,
};
const termsSchema = z.object(termFields);
/** The terms of an order as iconik sends them. */
export type OrderTerms = z.infer<typeof termsSchema>;

/** What an order's terms come to: entries for the job's payload, or why the order fails. */
export type Terms = { ok: true; payload: Record<string, unknown> } | { ok: false; why: string };

/** Formats of exported metadata that this version writes. */
const METADATA_FORMATS = new Set(['CSV', 'JSON', 'XML']);
/** Export locations name no other (reference A2.4). */
const KNOWN_FORMATS = 'CSV, JSON and XML';

const refuse = (why: string): Terms => ({ ok: false, why });

/** Whether anything but the original is asked for, or the original expressly: an export. A plain transfer names none. */
function isExport(terms: OrderTerms): boolean {
  const { export_original, export_proxy, export_posters, export_metadata_format, export_transcription_format } = terms;
  return Boolean(
    export_original || export_proxy || export_posters || export_metadata_format || export_transcription_format,
  );
}

/** Terms of a `transfers_to` record that goes to `directory`. */
export function downloadTerms(terms: OrderTerms, directory: string): Terms {
  if (terms.export_transcription_format)
    return refuse(
      `Transcriptions (${terms.export_transcription_format}) cannot be exported by this node: iconik publishes no call that gives them. Order the export without them.`,
    );
  const metadata = metadataTerms(terms);
  if (typeof metadata === 'string') return refuse(metadata);
  const base = segments(terms.destination_base_directory);
  if (base.some((segment, at) => segment !== segments(directory)[at]))
    return refuse(
      `The base directory of the order (${terms.destination_base_directory}) does not hold its destination directory (${directory}); nothing was downloaded.`,
    );
  const withOriginal = !isExport(terms) || terms.export_original === true;
  const after = deletionAfterDownload(terms, withOriginal);
  return {
    ok: true,
    payload: {
      ...(withOriginal ? {} : { withoutOriginal: true }),
      ...(terms.overwrite ? { overwrite: true } : {}),
      ...(terms.add_file_set === false ? { withoutFileSet: true } : {}),
      ...(terms.include_original_extension ? { includeOriginalExtension: true } : {}),
      ...(base.length > 0 ? { baseDirectory: base.join('/') } : {}),
      ...(terms.export_proxy ? { exportProxy: true } : {}),
      ...(terms.export_posters ? { exportPosters: true } : {}),
      ...(metadata ? { exportMetadata: metadata } : {}),
      ...after,
    },
  };
}

/** What metadata is wanted; null = none; text = why it cannot be had. */
function metadataTerms(terms: OrderTerms): { format: string; viewId: string } | null | string {
  const { export_metadata_format: asked, export_metadata_view: viewId } = terms;
  if (!asked) return null;
  const format = asked.toUpperCase();
  if (!METADATA_FORMATS.has(format))
    return `Metadata cannot be exported as ${JSON.stringify(asked)}: this node writes ${KNOWN_FORMATS}. Choose one of them in the export location.`;
  if (!viewId) return 'The order exports metadata but names no metadata view; choose one in the export location.';
  return { format, viewId };
}

/** Deleting is never a reason to fail the copy: what cannot be proven right is left, and said. */
function deletionAfterDownload(terms: OrderTerms, withOriginal: boolean): Record<string, unknown> {
  if (!terms.delete_source_file_set_after_download && !terms.delete_remote_file_set_after_download) return {};
  if (!withOriginal) return kept('no copy of it was made on this storage');
  if (terms.add_file_set === false) return kept('the order adds no file set here, so iconik would know no other copy');
  return terms.delete_only_from_source_folder ? kept(UNKNOWN_LIMIT) : { deleteSource: true };
}

/** Terms of a `transfers_from` record; of a relay, the other gateway makes the extras of an export, at the second leg. */
export function uploadTerms(terms: OrderTerms, isRelay: boolean): Terms {
  const extras = [
    terms.export_proxy ? 'proxies' : '',
    terms.export_posters ? 'posters' : '',
    terms.export_metadata_format ? 'metadata' : '',
    terms.export_transcription_format ? 'transcriptions' : '',
  ].filter((extra) => extra !== '');
  if (extras.length === 0 || isRelay) return { ok: true, payload: deletionAfterUpload(terms, isRelay) };
  const words = `${extras.join(', ')} of the asset cannot be uploaded: this storage holds its original alone, and iconik has the rest`;
  if (terms.export_original !== true) return refuse(`The order cannot be carried out: ${words}.`);
  const after = deletionAfterUpload(terms, isRelay);
  const warning = [`The original was uploaded, but ${words}.`, after.warning].filter(Boolean).join(' ');
  return { ok: true, payload: { ...after, warning } };
}

function deletionAfterUpload(terms: OrderTerms, isRelay: boolean): Record<string, unknown> {
  if (terms.delete_local_file_set_after_upload)
    return terms.delete_only_from_source_folder ? kept(UNKNOWN_LIMIT) : { deleteLocal: true };
  if (terms.delete_source_file_set_after_download && !isRelay)
    return kept('the node that uploads does not see the download after which it is to be deleted');
  return {};
}

/** iconik publishes no meaning of the flag; what it limits can only be guessed, and a deletion is no place to guess. */
const UNKNOWN_LIMIT = 'what delete_only_from_source_folder limits is not published, and nothing is deleted on a guess';
const kept = (why: string) => ({ warning: `The copy was made, but the source was kept: ${why}. Delete it in iconik.` });

function segments(path: string | null | undefined): string[] {
  return (path ?? '').split('/').filter((segment) => segment !== '' && segment !== '.');
}
