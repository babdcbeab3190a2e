/** Archives (start, stop, read: no media) and legacy callback registration (contract §1). */
import { z } from 'zod';
import { noContent, ok, videoError } from '../http/answer.ts';
import type { Call, Route } from '../http/rest.ts';
import type { World } from '../world.ts';
import { accountOf, sessionOf } from './lookup.ts';

const startBody = z.looseObject({ sessionId: z.string().min(1), name: z.string().optional() });
const callbackBody = z.object({ group: z.string(), event: z.string(), url: z.url() });

const view = (archive: World['archives'] extends Map<string, infer A> ? A : never): object => ({
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

function archiveOf(world: World, call: Call): Parameters<typeof view>[0] {
  const account = accountOf(world, call);
  const archive = world.archives.get(call.params.archive ?? '');
  if (archive === undefined || archive.account !== account) throw videoError(404, 'Archive not found');
  return archive;
}

function start(world: World, call: Call): ReturnType<Route['handle']> {
  accountOf(world, call);
  const body = startBody.parse(call.body ?? {});
  const session = sessionOf(world, call, body.sessionId);
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
  return ok(view(archive));
}

export function archiveRoutes(world: () => World): Route[] {
  const archive = '/v2/project/:key/archive';
  const callback = '/v2/project/:key/callback';
  return [
    { method: 'POST', path: archive, kind: 'archive', handle: (call) => start(world(), call) },
    {
      method: 'POST',
      path: `${archive}/:archive/stop`,
      kind: 'archive',
      handle: (call) => {
        const one = archiveOf(world(), call);
        if (one.status !== 'started') throw videoError(409, 'The archive is not being recorded');
        one.status = 'stopped';
        return ok(view(one));
      },
    },
    {
      method: 'GET',
      path: `${archive}/:archive`,
      kind: 'archive',
      handle: (call) => ok(view(archiveOf(world(), call))),
    },
    {
      method: 'DELETE',
      path: `${archive}/:archive`,
      kind: 'archive',
      handle: (call) => {
        world().archives.delete(archiveOf(world(), call).id);
        return noContent;
      },
    },
    {
      method: 'GET',
      path: archive,
      kind: 'archive',
      handle: (call) => {
        const account = accountOf(world(), call);
        const items = [...world().archives.values()].filter(
          (one) =>
            one.account === account && (call.query.sessionId === undefined || one.sessionId === call.query.sessionId),
        );
        return ok({ count: items.length, items: items.map(view) });
      },
    },
    {
      method: 'POST',
      path: callback,
      kind: 'callback',
      handle: (call) => {
        const account = accountOf(world(), call);
        const one = {
          id: world().newId(),
          account,
          ...callbackBody.parse(call.body ?? {}),
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
      handle: (call) => {
        const account = accountOf(world(), call);
        return ok(world().callbacks.filter((one) => one.account === account));
      },
    },
    {
      method: 'DELETE',
      path: `${callback}/:callback`,
      kind: 'callback',
      handle: (call) => {
        const account = accountOf(world(), call);
        const at = world().callbacks.findIndex((one) => one.account === account && one.id === call.params.callback);
        if (at < 0) throw videoError(404, 'Callback not found');
        world().callbacks.splice(at, 1);
        return noContent;
      },
    },
  ];
}
