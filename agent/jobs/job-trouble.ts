import type { UnclaimedWork } from '../contract/index.ts';
import type { QuarantinedRole } from './quarantine.ts';

/** Something about the queue that people should know of. */
export interface JobTrouble {
  /** What it is about; the same trouble has the same subject. */
  subject: string;
  reason: string;
  remedy: string;
}

/** Words for work that nobody takes. Pure. */
export function unclaimedTrouble(work: UnclaimedWork): JobTrouble {
  const { role, kind, storageId, waitingMinutes, hasRoleHolder } = work;
  const where = storageId === null ? '' : ` for storage ${storageId}`;
  return {
    subject: `${role} ${kind} ${storageId ?? ''}`,
    reason: `Jobs "${kind}"${where} have been waiting for ${waitingMinutes} minutes and no node takes them.`,
    remedy: hasRoleHolder
      ? `Nodes with the role ${role} are there, so none of them reaches that storage, or none is of a version that knows this kind of job, or they are busy with something very long. Look at the storages of the nodes and at their versions.`
      : `Give a node the role ${role}, or start one that has it.`,
  };
}

/** Words for a role in quarantine. Pure. */
export function quarantineTrouble({ role, code, message, sinceMs }: QuarantinedRole): JobTrouble {
  return {
    subject: role,
    reason: `This node takes no ${role} jobs since ${new Date(sinceMs).toISOString()}, because they kept failing the same way (${code}): ${message}`,
    remedy:
      'It tries by itself from time to time whether it can do them again; mend the cause, or leave the work to other nodes.',
  };
}
