/** Archives (without media) and legacy callback registration (contract §1). */
import { z } from 'zod';
import { noContent, ok, videoError } from '../http/answer.ts';
import type { RestRequest, RestRoute } from '../http/rest.ts';
import type { World } from '../world.ts';
import { authenticateAccount, findSession } from './lookup.ts';

const startBody = z.looseObject({ sessionId: z.string().min(1), name: z.string().optional() });
const callbackBody = z.object({ group: z.string(), event: z.string(), url: z.url() });

const viewArchive = (archive: World['archives'] extends Map<string, infer A> ? A : never): object => ({
  ...archive,
  projectId: archive.account,
  applicationId: archive.account,
  duration: 0,
  size: 0,
  hasAudio: true,
  hasVideo: true,
  outputMode: 'composed',
  streamMode: 'auto',
  reason: '',
  url: null,
});

function findArchive(world: World, request: RestRequest): Parameters<typeof viewArchive>[0] {
  const account = authenticateAccount(world, request);
  const archive = world.archives.get(request.params.archive ?? '');
  if (archive === undefined || archive.account !== account) throw videoError(404, 'Archive not found');
  return archive;
}

function startArchive(world: World, request: RestRequest): ReturnType<RestRoute['handle']> {
  authenticateAccount(world, request);
  const body = startBody.parse(request.body ?? {});
  const session = findSession(world, request, body.sessionId);
  const running = [...world.archives.values()].some((one) => one.sessionId === session.id && one.status === 'started');
  if (!session.routed || running) throw videoError(409, 'Already recording, or the session is relayed');
  const archive = {
    id: world.newId(),
    account: session.account,
    sessionId: session.id,
    status: 'started',
    name: body.name,
    createdAt: world.clock.now(),
  };
  world.archives.set(archive.id, archive);
  return ok(viewArchive(archive));
}

export function createArchiveRoutes(world: () => World): RestRoute[] {
  const archive = '/v2/project/:key/archive';
  const callback = '/v2/project/:key/callback';
  return [
    { method: 'POST', path: archive, kind: 'archive', handle: (request) => startArchive(world(), request) },
    {
      method: 'POST',
      path: `${archive}/:archive/stop`,
      kind: 'archive',
      handle: (request) => {
        const one = findArchive(world(), request);
        if (one.status !== 'started') throw videoError(409, 'The archive is not being recorded');
        one.status = 'stopped';
        return ok(viewArchive(one));
      },
    },
    {
      method: 'GET',
      path: `${archive}/:archive`,
      kind: 'archive',
      handle: (request) => ok(viewArchive(findArchive(world(), request))),
    },
    {
      method: 'DELETE',
      path: `${archive}/:archive`,
      kind: 'archive',
      handle: (request) => {
        world().archives.delete(findArchive(world(), request).id);
        return noContent;
      },
    },
    {
      method: 'GET',
      path: archive,
      kind: 'archive',
      handle: (request) => {
        const account = authenticateAccount(world(), request);
        const items = [...world().archives.values()].filter(
          (one) =>
            one.account === account &&
            (request.query.sessionId === undefined || one.sessionId === request.query.sessionId),
        );
        return ok({ count: items.length, items: items.map(viewArchive) });
      },
    },
    {
      method: 'POST',
      path: callback,
      kind: 'callback',
      handle: (request) => {
        const account = authenticateAccount(world(), request);
        const one = {
          id: world().newId(),
          account,
          ...callbackBody.parse(request.body ?? {}),
          createdAt: world().clock.now(),
        };
        world().callbacks.push(one);
        return ok(one);
      },
    },
    {
      method: 'GET',
      path: callback,
      kind: 'callback',
      handle: (request) => {
        const account = authenticateAccount(world(), request);
        return ok(world().callbacks.filter((one) => one.account === account));
      },
    },
    {
      method: 'DELETE',
      path: `${callback}/:callback`,
      kind: 'callback',
      handle: (request) => {
        const account = authenticateAccount(world(), request);
        const at = world().callbacks.findIndex((one) => one.account === account && one.id === request.params.callback);
        if (at < 0) throw videoError(404, 'Callback not found');
        world().callbacks.splice(at, 1);
        return noContent;
      },
    },
  ];
}
