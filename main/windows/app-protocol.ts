import { protocol, type Session } from 'electron';
import { answerAppRequest } from './app-files.ts';
import { APP_SCHEME } from './content-policy.ts';

/** Declares the scheme; before the application is ready. Standard and secure, so that origin and policy work as for https. */
export function declareAppScheme(): void {
  const privileges = { standard: true, secure: true, codeCache: true };
  protocol.registerSchemesAsPrivileged([{ scheme: APP_SCHEME, privileges }]);
}

/** Serves the built window from a folder. */
export function serveApp(session: Session, folder: string): void {
  session.protocol.handle(APP_SCHEME, (request) => answerAppRequest(request, folder));
}
