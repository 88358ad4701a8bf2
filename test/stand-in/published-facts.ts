import { loadPublishedApi, type PublishedApi } from './published/published-api.ts';
import { createProjection, type Projection } from './validation/projection.ts';
import { createRequestValidator, type RequestValidator } from './validation/request-validator.ts';

/** The published API and what is compiled from it. */
export interface PublishedFacts {
  published: PublishedApi;
  validator: RequestValidator;
  project: Projection;
}

let facts: PublishedFacts | undefined;

/** The facts; read and compiled once a process, since tests start many stand-ins. */
export function publishedFacts(): PublishedFacts {
  if (!facts) {
    const published = loadPublishedApi();
    facts = {
      published,
      validator: createRequestValidator(published),
      project: createProjection(published.definitions),
    };
  }
  return facts;
}
