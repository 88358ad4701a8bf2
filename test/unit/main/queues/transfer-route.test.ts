import { describe, expect, it } from 'vitest';
import { planDownload } from '../../../../agent/roles/main/queues/record-plan.ts';
import { routeDownload, routeUpload } from '../../../../agent/roles/main/queues/transfer-route.ts';

const record = {
  id: 'r',
  job_id: 'j',
  asset_id: 'a',
  format_id: 'f',
  file_set_id: 's',
  destination_directory_path: 'd',
  destination_file_set_name: 'n',
};
const withMore = (more: Record<string, unknown>) => ({ ...record, ...more });
const planned = () => planDownload('nas', record);

describe('the way of a transfer', () => {
  it('is the cloud for a plain record, and for addresses that are none', () => {
    for (const more of [{}, { original_url: null }, { original_url: '' }, { original_url: 7 }]) {
      expect(routeDownload(planned(), withMore(more))).toEqual(planned());
    }
    expect(routeUpload(planned(), withMore({ destination_storage_method: 'S3' }))).toEqual(planned());
  });

  it('is the other gateway when the record names its address', () => {
    const { job } = routeDownload(planned(), withMore({ original_url: 'https://h:8443' }));
    expect(job).toMatchObject({
      kind: 'direct-download',
      payload: { ...planned().job.payload, transferId: 'r', originalUrl: 'https://h:8443' },
      dedupeKey: planned().job.dedupeKey,
    });
  });

  it('is a temporary file set in its second leg, and in the first one to the storage of a gateway', () => {
    const second = { ...record, temporary_file_set_source: true, original_url: 'https://h:8443' };
    expect(routeDownload(planned(), second).job.kind).toBe('relay-download');
    const first = routeUpload(planned(), withMore({ destination_storage_method: 'file' }));
    expect(first.job).toMatchObject({ kind: 'relay-upload', payload: { relayId: 'r', iconikJobId: 'j' } });
  });

  it('takes no temporary file set for the source that an order wants deleted', () => {
    const wanted = withMore({ delete_remote_file_set_after_download: true, temporary_file_set_source: true });
    const { payload } = routeDownload(planDownload('nas', wanted), wanted).job;
    expect(payload).not.toHaveProperty('deleteSource');
    expect(payload.warning).toContain('the source was kept');
  });

  it('fails the relay of a file set of several files, of which it would carry the first alone', () => {
    const { job, failure } = planned();
    const several = { job: { ...job, payload: { ...job.payload, otherFiles: [{ path: 'b' }] } }, failure };
    const routed = routeUpload(several, withMore({ destination_storage_method: 'FILE' }));
    expect(routed).toMatchObject({
      failure: { retry: 'permanent', message: expect.stringContaining('several files') },
    });
    expect(routeUpload(several, withMore({ destination_storage_method: 'S3' }))).toEqual(several);
  });

  it('says of a relay that the source is kept, though the order wanted it deleted', () => {
    const { job, failure } = planned();
    const order = { job: { ...job, payload: { ...job.payload, deleteLocal: true } }, failure };
    const { payload } = routeUpload(order, withMore({ destination_storage_method: 'FILE' })).job;
    expect(payload.warning).toContain('the source was kept');
  });

  it('leaves an order that cannot become work as it is', () => {
    const failed = planDownload('nas', { id: 'r' });
    expect(routeDownload(failed, withMore({ original_url: 'https://h' }))).toEqual(failed);
  });
});
