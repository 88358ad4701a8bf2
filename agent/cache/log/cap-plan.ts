import { PAGE_BYTES } from './outbox-schema.ts';

/** The journal may take this much beside the file, at most. */
const MOST_JOURNAL_BYTES = 16_000_000;
/** Pages that a transaction changes beside those of its records: identity, counters, inner pages. */
const EXTRA_PAGES = 16;

/**
 * How a cap is divided. The journal is emptied into the file at a quarter of its share; one commit (at most an eighth of it,
 * see `largestCommitBytes`) and one deletion may come on top, so that file and journal together stay below the cap.
 */
export class CapPlan {
  /** Most pages of the file. */
  readonly filePages: number;
  /** Pages in the journal at which it is emptied. */
  readonly autocheckpointPages: number;
  /** Most bytes of records that one commit should bring. */
  readonly largestCommitBytes: number;
  /** Records looked at in one deletion: with usual ones it changes about as many pages as a commit. */
  readonly trimWindow: number;

  constructor(capBytes: number) {
    const journalBytes = Math.min(MOST_JOURNAL_BYTES, capBytes / 4);
    this.filePages = Math.floor((capBytes - journalBytes) / PAGE_BYTES);
    this.autocheckpointPages = Math.max(8, Math.floor(journalBytes / 4 / PAGE_BYTES));
    this.largestCommitBytes = Math.floor(journalBytes / 8);
    this.trimWindow = Math.max(200, Math.min(4_000, Math.floor(this.largestCommitBytes / 250)));
  }

  /** Pages that records of so many bytes need; from above. Text of other alphabets takes up to three bytes a character. */
  pagesFor(bytes: number): number {
    return Math.ceil((bytes * 3) / PAGE_BYTES) + EXTRA_PAGES;
  }
}
