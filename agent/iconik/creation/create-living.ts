import { IsgError } from '../../runtime/errors.ts';
import type { CreateOnce, Creation, Fence } from './create-once.ts';

/** Under what right a thing is created. */
export interface CreationRight {
  /** Read at each use: a lease may have been taken back under a new token meanwhile. */
  fence(): Fence;
  /** Throws when nothing may be created any more. */
  assertAllowed(): void;
}

/** A creation that may have to be repeated because iconik does not have any more what an earlier one made. */
export interface LivingCreation extends Pick<Creation, 'kind' | 'key' | 'create' | 'find'> {
  /** Whether an id of an earlier creation may still be used; throws to refuse the whole work. */
  isUsable(id: string): Promise<boolean>;
}

/** How often a thing may have been deleted and made again before the answers are not believed any more. */
const MAX_LIVES = 50;

/**
 * Creates a thing once for each of its lives. An intent remembers its id for ever; when users have deleted the thing in
 * iconik since, the next life gets a key derived from the id that is gone, so that every node and every attempt comes to
 * the same key without remembering anything. Throws `iconik-conflict` (permanent) for a thing that never stays.
 */
export async function createLiving(
  createOnce: CreateOnce,
  right: CreationRight,
  creation: LivingCreation,
): Promise<string> {
  let key = creation.key;
  for (let life = 0; life < MAX_LIVES; life += 1) {
    let freshId: string | null = null;
    const id = await createOnce({
      kind: creation.kind,
      key,
      fence: right.fence(),
      assertAllowed: () => right.assertAllowed(),
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
  const message = `iconik lost "${creation.key}" ${MAX_LIVES} times after it was made; nothing more is made. Look for what deletes it in iconik.`;
  throw new IsgError('iconik-conflict', message, { retry: 'permanent' });
}
