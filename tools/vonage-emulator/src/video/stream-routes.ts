/** Streams: list, get, mute, layout classes (contract §1). */
import { z } from 'zod';
import { ok, videoError } from '../http/answer.ts';
import type { Call, Route } from '../http/rest.ts';
import { notifyVideo } from '../webhooks/video-hook.ts';
import type { VideoConnection, VideoSession, World } from '../world.ts';
import { sessionOf } from './lookup.ts';
import { liveConnections } from './sessions.ts';

const publishers = (session: VideoSession): VideoConnection[] =>
  liveConnections(session).filter((one) => one.stream !== undefined);

const streamBody = ({ stream }: VideoConnection): object => ({
  id: stream?.id,
  videoType: 'camera',
  name: stream?.name ?? '',
  layoutClassList: stream?.layoutClassList ?? [],
});

function publisherOf(world: World, call: Call): { session: VideoSession; connection: VideoConnection } {
  const session = sessionOf(world, call);
  const connection = publishers(session).find((one) => one.stream?.id === call.params.stream);
  if (connection === undefined) throw videoError(404, 'Stream not found');
  return { session, connection };
}

function mute(world: World, session: VideoSession, connection: VideoConnection, muted: boolean): void {
  if (connection.stream === undefined || connection.stream.muted === muted) return;
  connection.stream.muted = muted;
  const { sip } = connection;
  if (sip === undefined || !muted) return;
  if (sip.leg !== undefined) sip.leg.muted = muted;
  notifyVideo(world, session, 'sip-callback', 'muteForced', {
    call: { id: sip.id, connectionId: connection.id, createdAt: sip.createdAt },
  });
}

/** Both spellings of the excluded list are in use (contract §1, forceMuteAll). */
const muteAllBody = z.looseObject({
  active: z.boolean().default(true),
  excludedStreams: z.array(z.string()).default([]),
  excludedStreamIds: z.array(z.string()).default([]),
});
const layoutBody = z.object({ items: z.array(z.object({ id: z.string(), layoutClassList: z.array(z.string()) })) });

const projectBody = (session: VideoSession): object => ({
  id: session.account,
  applicationId: session.account,
  status: 'ACTIVE',
  name: 'emulated',
  environment: 'standard',
  createdAt: session.createdAt,
});

export function streamRoutes(world: () => World): Route[] {
  const under = '/v2/project/:key/session/:session';
  return [
    {
      method: 'GET',
      path: `${under}/stream`,
      kind: 'list-streams',
      handle: (call) => {
        const items = publishers(sessionOf(world(), call)).map(streamBody);
        return ok({ count: items.length, items });
      },
    },
    {
      method: 'GET',
      path: `${under}/stream/:stream`,
      kind: 'get-stream',
      handle: (call) => ok(streamBody(publisherOf(world(), call).connection)),
    },
    {
      method: 'PUT',
      path: `${under}/stream`,
      kind: 'layout',
      handle: (call) => {
        const all = publishers(sessionOf(world(), call));
        for (const item of layoutBody.parse(call.body ?? {}).items) {
          const stream = all.find((one) => one.stream?.id === item.id)?.stream;
          if (stream === undefined) throw videoError(404, 'Stream not found');
          stream.layoutClassList = item.layoutClassList;
        }
        return ok({ count: all.length, items: all.map(streamBody) });
      },
    },
    {
      method: 'POST',
      path: `${under}/stream/:stream/mute`,
      kind: 'mute-stream',
      handle: (call) => {
        const { session, connection } = publisherOf(world(), call);
        mute(world(), session, connection, true);
        return ok(projectBody(session));
      },
    },
    {
      method: 'POST',
      path: `${under}/mute`,
      kind: 'mute-all',
      handle: (call) => {
        const session = sessionOf(world(), call);
        const body = muteAllBody.parse(call.body ?? {});
        const spared = new Set([...body.excludedStreams, ...body.excludedStreamIds]);
        if (body.active)
          for (const one of publishers(session))
            if (!spared.has(one.stream?.id ?? '')) mute(world(), session, one, true);
        return ok(projectBody(session));
      },
    },
  ];
}
