import type { CreateOnce, Creation, Fence } from '../../iconik/creation/create-once.ts';
import type { JobContext } from '../../jobs/job-handler.ts';
import { IsgError } from '../../runtime/errors.ts';

/** The part of a job's context that a creation needs. */
export type LeaseContext = Pick<JobContext<unknown>, 'job' | 'signal'>;

/** A creation that may have to be repeated because iconik does not have any more what an earlier one made. */
export interface LivingCreation extends Pick<Creation, 'kind' | 'key' | 'create' | 'find'> {
  /** Whether an id of an earlier creation may still be used; throws to refuse the whole transfer. */
  isUsable(id: string): Promise<boolean>;
}

/** How often a thing may have been deleted and made again before the answers are not believed any more. */
const MAX_LIVES = 50;

/**
 * Creates a thing once for each of its lives, under the job's lease. An intent remembers its id for ever; when users have
 * deleted the thing in iconik since, the next life gets a key derived from the id that is gone. Ingest derives it in the
 * same way, so that every node and every attempt comes to the same key without remembering anything.
 */
export async function createLiving(
  createOnce: CreateOnce,
  context: LeaseContext,
  creation: LivingCreation,
): Promise<string> {
  let key = creation.key;
  for (let life = 0; life < MAX_LIVES; life += 1) {
    let freshId: string | null = null;
    const id = await createOnce({
      kind: creation.kind,
      key,
      fence: leaseFence(context),
      assertAllowed: () => context.signal.throwIfAborted(),
      create: async (signal) => {
        const made = await creation.create(signal);
        freshId = made.id;
        return made;
      },
      find: (attempt) => creation.find(attempt),
    });
    if (id === freshId || (await creation.isUsable(id))) return id;
    key = `${creation.key}!after:${id}`;
  }
  const message = `iconik lost "${creation.key}" ${MAX_LIVES} times after it was made; nothing more is made. Look at the destination storage in iconik.`;
  throw new IsgError('iconik-conflict', message, { retry: 'permanent' });
}

/** Read at each use: a lease may have been taken back under a new token. */
function leaseFence({ job }: LeaseContext): Fence {
  return { kind: 'lease', jobId: job.jobId, leaseToken: job.leaseToken };
}
