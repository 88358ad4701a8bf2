import { ObjectStoreError } from './object-store-error.ts';

/** A refusal of B2: JSON instead of XML. */
export class B2Error extends ObjectStoreError {
  /** The document that B2 answers with. */
  toJson(): string {
    return JSON.stringify({ status: this.status, code: this.code, message: this.message });
  }
}
