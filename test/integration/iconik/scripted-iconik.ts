import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { type LocalServer, type SeenRequest, sendJson, startLocalServer } from './local-server.ts';

/** What the server does with the next creating request. */
export type Behaviour =
  | 'ok'
  /** Commits; the connection breaks before the answer. */
  | 'answer-lost'
  /** Commits, then answers 500. */
  | 'error-after-commit'
  /** Commits, then answers something unreadable. */
  | 'unreadable'
  /** 500 without a commit. */
  | 'error-before-commit'
  /** 400 without a commit. */
  | 'refused'
  /** 429 without a commit. */
  | 'throttled'
  /** The connection breaks at once; the commit comes at `commitLate`. */
  | 'late-commit'
  /** Never answers; the commit comes at `commitLate`. */
  | 'silent';

interface ScriptedAsset {
  id: string;
  title: string;
}

/** The assets service of iconik as far as creating and looking up go, with faults on order. */
export interface ScriptedIconik {
  url: string;
  userId: string;
  /** Behaviour of the next creation of this title; 'ok' when nothing is ordered. */
  order(title: string, behaviour: Behaviour): void;
  /** What slow commits have been waiting for. Only what was committed is listed. */
  commitLate(): void;
  /** Assets with this title. */
  assets(title: string): ScriptedAsset[];
  /** Ids that lists do not show (an index that lags longer than the settle time). */
  hidden: Set<string>;
  close(): Promise<void>;
}

export async function startScriptedIconik(): Promise<ScriptedIconik> {
  const userId = randomUUID();
  const assets: (ScriptedAsset & { created: number })[] = [];
  const orders = new Map<string, Behaviour>();
  const late: (() => void)[] = [];
  const hidden = new Set<string>();
  const view = (asset: ScriptedAsset & { created: number }) => ({
    id: asset.id,
    title: asset.title,
    status: 'ACTIVE',
    created_by_user: userId,
    date_created: new Date(asset.created).toISOString(),
    files: [],
    versions: [{ id: randomUUID() }],
  });

  function create(seen: SeenRequest, response: ServerResponse): void {
    const { title } = seen.body as { title: string };
    const behaviour = orders.get(title) ?? 'ok';
    orders.delete(title);
    const commit = () => {
      const asset = { id: randomUUID(), title, created: Date.now() };
      assets.unshift(asset);
      return asset;
    };
    switch (behaviour) {
      case 'ok':
        sendJson(response, 201, view(commit()));
        return;
      case 'answer-lost':
        commit();
        response.destroy();
        return;
      case 'error-after-commit':
        commit();
        sendJson(response, 500, { errors: ['oops'] });
        return;
      case 'unreadable':
        commit();
        response.writeHead(201).end('<html>');
        return;
      case 'error-before-commit':
        sendJson(response, 500, { errors: ['oops'] });
        return;
      case 'refused':
        sendJson(response, 400, { errors: { title: 'not liked' } });
        return;
      case 'throttled':
        sendJson(response, 429, { errors: ['slow down'] }, { 'retry-after': '0' });
        return;
      case 'late-commit':
        late.push(commit);
        response.destroy();
        return;
      case 'silent':
        late.push(commit);
        return;
    }
  }

  const server: LocalServer = await startLocalServer((seen, response) => {
    if (seen.method === 'POST' && seen.path === '/API/assets/v1/assets/') {
      create(seen, response);
      return;
    }
    const shown = assets.filter((asset) => !hidden.has(asset.id));
    if (seen.path === '/API/assets/v1/assets/') {
      const page = Number(seen.query.get('page'));
      const perPage = Number(seen.query.get('per_page'));
      const objects = shown.slice((page - 1) * perPage, page * perPage).map(view);
      sendJson(response, 200, { objects, page, pages: Math.max(1, Math.ceil(shown.length / perPage)) });
      return;
    }
    const id = seen.path.split('/')[5];
    const asset = assets.find((one) => one.id === id);
    if (asset && !seen.path.includes('/formats/')) sendJson(response, 200, view(asset));
    else sendJson(response, 404, { errors: ['not found'] });
  });

  return {
    url: server.url,
    userId,
    order: (title, behaviour) => void orders.set(title, behaviour),
    commitLate: () => {
      for (const commit of late.splice(0)) commit();
    },
    assets: (title) => assets.filter((asset) => asset.title === title),
    hidden,
    close: () => server.close(),
  };
}
