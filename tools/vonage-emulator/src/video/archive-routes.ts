/** Archives (without media) and legacy callback registration (contract §1). */
import { z } from 'zod';
import { noContent, ok, videoError } from '../http/answer.ts';
import type { RestRequest, RestRoute } from '../http/rest.ts';
import type { Archive, World } from '../world.ts';
import { authenticateAccount, findSession } from './lookup.ts';

const layout = z.looseObject({ type: z.string(), stylesheet: z.string().optional() });
const startBody = z.looseObject({
  sessionId: z.string().min(1),
  name: z.string().optional(),
  hasAudio: z.boolean().default(true),
  hasVideo: z.boolean().default(true),
  outputMode: z.enum(['composed', 'individual']).default('composed'),
  streamMode: z.enum(['auto', 'manual']).default('auto'),
  resolution: z.string().optional(),
  multiArchiveTag: z.string().optional(),
  layout: layout.optional(),
});
const streamBody = z.looseObject({
  addStream: z.string().optional(),
  removeStream: z.string().optional(),
  hasAudio: z.boolean().default(true),
  hasVideo: z.boolean().default(true),
});
const pageQuery = z.looseObject({
  sessionId: z.string().optional(),
  offset: z.coerce.number().int().min(0).default(0),
  count: z.coerce.number().int().min(0).max(1000).default(50),
});
const callbackBody = z.object({ group: z.string(), event: z.string(), url: z.url() });

const viewArchive = ({ account, endedAt, layout: _layout, streams, ...archive }: Archive, now: number): object => ({
  ...archive,
  projectId: account,
  applicationId: account,
  partnerId: account,
  duration: Math.round(((endedAt ?? now) - archive.createdAt) / 1000),
  size: 0,
  reason: endedAt === undefined ? '' : 'user initiated',
  url: null,
  ...(archive.streamMode === 'manual' && { streams }),
});

function findArchive(world: World, request: RestRequest): Archive {
  const account = authenticateAccount(world, request);
  const archive = world.archives.get(request.params.archive ?? '');
  if (archive === undefined || archive.account !== account) throw videoError(404, 'Archive not found');
  return archive;
}

function startArchive(world: World, request: RestRequest): ReturnType<RestRoute['handle']> {
  authenticateAccount(world, request);
  const body = startBody.parse(request.body ?? {});
  const session = findSession(world, request, body.sessionId);
  // Archives with different tags can record one session at the same time.
  const running = [...world.archives.values()].some(
    (one) => one.sessionId === session.id && one.status === 'started' && one.multiArchiveTag === body.multiArchiveTag,
  );
  if (!session.routed || running) throw videoError(409, 'Already recording, or the session is relayed');
  const { name, hasAudio, hasVideo, outputMode, streamMode, resolution, multiArchiveTag } = body;
  const archive: Archive = {
    id: world.newId(),
    account: session.account,
    sessionId: session.id,
    status: 'started',
    createdAt: world.clock.now(),
    name,
    hasAudio,
    hasVideo,
    outputMode,
    streamMode,
    resolution,
    multiArchiveTag,
    layout: body.layout,
    streams: [],
  };
  world.archives.set(archive.id, archive);
  return ok(viewArchive(archive, archive.createdAt));
}

/** Adds or removes one stream of an archive with streamMode `manual`. */
function changeStreams(archive: Archive, input: unknown): void {
  const { addStream, removeStream, hasAudio, hasVideo } = streamBody.parse(input ?? {});
  if ((addStream === undefined) === (removeStream === undefined))
    throw videoError(400, 'Set either addStream or removeStream');
  if (archive.streamMode !== 'manual') throw videoError(405, 'The archive has streamMode auto');
  const streamId = addStream ?? removeStream ?? '';
  archive.streams = archive.streams.filter((one) => one.streamId !== streamId);
  if (addStream !== undefined) archive.streams.push({ streamId, hasAudio, hasVideo });
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
        one.endedAt = world().clock.now();
        return ok(viewArchive(one, one.endedAt));
      },
    },
    {
      method: 'GET',
      path: `${archive}/:archive`,
      kind: 'archive',
      handle: (request) => ok(viewArchive(findArchive(world(), request), world().clock.now())),
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
        const { sessionId, offset, count } = pageQuery.parse(request.query);
        const found = [...world().archives.values()]
          .filter((one) => one.account === account && (sessionId === undefined || one.sessionId === sessionId))
          .toReversed();
        const now = world().clock.now();
        return ok({
          count: found.length,
          items: found.slice(offset, offset + count).map((one) => viewArchive(one, now)),
        });
      },
    },
    {
      method: 'PUT',
      path: `${archive}/:archive/layout`,
      kind: 'archive',
      handle: (request) => {
        const one = findArchive(world(), request);
        one.layout = layout.parse(request.body ?? {});
        return ok({});
      },
    },
    {
      method: 'PATCH',
      path: `${archive}/:archive/streams`,
      kind: 'archive',
      handle: (request) => {
        changeStreams(findArchive(world(), request), request.body);
        return noContent;
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
