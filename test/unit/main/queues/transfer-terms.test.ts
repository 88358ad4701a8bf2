import { describe, expect, it } from 'vitest';
import { downloadTerms, uploadTerms } from '../../../../agent/roles/main/queues/transfer-terms.ts';

const why = (terms: ReturnType<typeof downloadTerms>) => (terms.ok ? 'not refused' : terms.why);
const payload = (terms: ReturnType<typeof downloadTerms>) => (terms.ok ? terms.payload : terms.why);

describe('terms of a download', () => {
  it('are none for a plain transfer, also when iconik spells every flag out', () => {
    const plain = {
      overwrite: false,
      add_file_set: true,
      export_original: false,
      export_proxy: false,
      export_posters: false,
      export_metadata_format: null,
      delete_remote_file_set_after_download: false,
    };
    expect(payload(downloadTerms({}, 'in'))).toEqual({});
    expect(payload(downloadTerms(plain, 'in'))).toEqual({});
  });

  it('of an export name what is wanted, and leave the original out when it is not among it', () => {
    const extras = {
      export_proxy: true,
      export_posters: true,
      export_metadata_format: 'csv',
      export_metadata_view: 'v',
    };
    const wanted = { exportProxy: true, exportPosters: true, exportMetadata: { format: 'CSV', viewId: 'v' } };
    expect(payload(downloadTerms({ ...extras, export_original: true }, 'in'))).toEqual(wanted);
    expect(payload(downloadTerms(extras, 'in'))).toEqual({ ...wanted, withoutOriginal: true });
  });

  it.each([
    ['an unknown metadata format', { export_metadata_format: 'XLSX', export_metadata_view: 'v' }, 'CSV, JSON and XML'],
    ['metadata without a view', { export_metadata_format: 'CSV' }, 'names no metadata view'],
    ['transcriptions', { export_original: true, export_transcription_format: 'SRT' }, 'no call that gives them'],
    ['a base directory elsewhere', { destination_base_directory: 'out/side' }, 'does not hold'],
    ['a base directory that only begins alike', { destination_base_directory: 'in/a' }, 'does not hold'],
  ])('are refused with words for %s', (_what, terms, words) => {
    expect(why(downloadTerms(terms, 'in/ab/c'))).toContain(words);
  });

  it('take a base directory that holds the destination', () => {
    for (const base of ['in', '/in/', 'in/ab', './in/ab/c'])
      expect(payload(downloadTerms({ destination_base_directory: base }, 'in/ab/c'))).toEqual({
        baseDirectory: base
          .split('/')
          .filter((part) => part !== '' && part !== '.')
          .join('/'),
      });
    expect(payload(downloadTerms({ destination_base_directory: '/' }, 'in'))).toEqual({});
  });

  it('delete the source only where a copy is made that iconik knows, and say why not elsewhere', () => {
    for (const flag of ['delete_source_file_set_after_download', 'delete_remote_file_set_after_download']) {
      const deletes = { [flag]: true };
      expect(payload(downloadTerms(deletes, 'in'))).toEqual({ deleteSource: true });
      const kept = [
        { ...deletes, add_file_set: false },
        { ...deletes, export_proxy: true },
        { ...deletes, delete_only_from_source_folder: true },
      ];
      for (const terms of kept) {
        expect(payload(downloadTerms(terms, 'in'))).not.toHaveProperty('deleteSource');
        expect(payload(downloadTerms(terms, 'in'))).toHaveProperty(
          'warning',
          expect.stringContaining('source was kept'),
        );
      }
    }
  });
});

describe('terms of an upload', () => {
  it('delete the local copy when ordered, but on no guess and not after a download that this node cannot see', () => {
    const local = { delete_local_file_set_after_upload: true };
    expect(payload(uploadTerms(local, false))).toEqual({ deleteLocal: true });
    const later = { delete_source_file_set_after_download: true };
    for (const terms of [{ ...local, delete_only_from_source_folder: true }, later])
      expect(payload(uploadTerms(terms, false))).toEqual({ warning: expect.stringContaining('source was kept') });
    expect(payload(uploadTerms(later, true))).toEqual({});
  });

  it('carry the original alone: extras are refused without it, and told with it, but for the first leg of a relay', () => {
    expect(why(uploadTerms({ export_proxy: true }, false))).toContain('proxies');
    expect(payload(uploadTerms({ export_original: true, export_posters: true }, false))).toEqual({
      warning: expect.stringContaining('posters'),
    });
    const both = { export_original: true, export_posters: true, delete_source_file_set_after_download: true };
    expect(payload(uploadTerms(both, false))).toEqual({
      warning: expect.stringMatching(/posters of the asset cannot be uploaded.*source was kept/),
    });
    expect(payload(uploadTerms({ export_original: true, export_proxy: true }, true))).toEqual({});
    expect(payload(uploadTerms({ export_original: true }, false))).toEqual({});
  });
});
