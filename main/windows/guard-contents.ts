import type { App, Session, WebContents } from 'electron';
import type { Log } from '../logging/main-log.ts';

/**
 * What no page may do, whatever it contains: go elsewhere, open windows, hold other pages, or get a permission. Applies to
 * every page that ever comes into being, not only to those we open.
 */
export function guardAllContents(app: App, log: Log): void {
  app.on('web-contents-created', (_, contents) => guardContents(contents, log));
}

function guardContents(contents: WebContents, log: Log): void {
  const refuse = (event: { preventDefault(): void }, what: string) => {
    event.preventDefault();
    log.warn(`Refused: a page tried to ${what}`);
  };
  contents.on('will-navigate', (event) => refuse(event, 'go to another page'));
  contents.on('will-frame-navigate', (event) => refuse(event, 'load a page'));
  contents.on('will-redirect', (event) => refuse(event, 'go to another page'));
  contents.on('will-attach-webview', (event) => refuse(event, 'hold another page'));
  contents.setWindowOpenHandler(() => {
    log.warn('Refused: a page tried to open a window');
    return { action: 'deny' };
  });
}

/** Refuses every permission of a session, asked for or looked up, every download, and every device. */
export function guardSession(session: Session, log: Log): void {
  session.setPermissionRequestHandler((_, permission, answer) => {
    log.warn('Refused: a page asked for a permission', { permission });
    answer(false);
  });
  session.setPermissionCheckHandler(() => false);
  session.setDevicePermissionHandler(() => false);
  session.on('will-download', (event) => {
    event.preventDefault();
    log.warn('Refused: a page tried to download a file');
  });
}
