import { z } from 'zod';

/**
 * The messages between a browser and media-gateway on the WebSocket `/v1/socket`: JSON texts of at
 * most 64 kB. A browser sends requests, each of which gets one reply; the gateway also sends
 * events. A browser names intents, session descriptions and ICE candidates only: rooms, handles of
 * the media server and other people are not in its vocabulary.
 */

/** A browser's message has at most this many bytes. A longer one closes the socket. */
export const MAX_MESSAGE_BYTES = 65_536;

const MAX_SDP_CHARACTERS = 60_000;
const MAX_NAME_CHARACTERS = 64;

/** The number of a request, chosen by the browser. The reply repeats it. */
const id = z.int().min(0).max(2_147_483_647);

/** Janus does not answer a request with a NUL or half a surrogate pair: only ASCII is passed on. */
const ascii = (maxCharacters: number) =>
  z
    .string()
    .max(maxCharacters)
    .regex(/^[\t\r\n\x20-\x7E]*$/, 'must have ASCII characters only');

const sdp = ascii(MAX_SDP_CHARACTERS).startsWith('v=0', 'must be a session description');

/** A media line as browsers write it. Janus does not answer some others. */
const MEDIA_LINE = /^m=(audio|video) \d{1,5} UDP\/TLS\/RTP\/SAVPF( \d{1,3})+\r?$/;

/** A session description with exactly one media line, of this kind. */
const sdpWith = (kind: 'audio' | 'video') =>
  sdp.refine((text) => {
    const [line, ...others] = text.split('\n').filter((each) => each.startsWith('m='));
    return others.length === 0 && line !== undefined && MEDIA_LINE.exec(line)?.[1] === kind;
  }, `must have one media line, of ${kind}`);

/** What a browser publishes as video: each source at most once. */
export const videoSource = z.enum(['camera', 'screen']);
export type VideoSource = z.output<typeof videoSource>;

/**
 * The peer connections of a browser: `audio` sends its microphone and receives the mix of the
 * others, `camera` and `screen` send, `subscription` receives the video of the others. The browser
 * offers, except for `subscription`, where the gateway does.
 */
export const peerName = z.enum(['audio', ...videoSource.options, 'subscription']);
export type PeerName = z.output<typeof peerName>;

const candidate = z.strictObject({
  candidate: ascii(500),
  sdpMid: ascii(20).optional(),
  sdpMLineIndex: z.int().min(0).max(200).optional(),
});

/** The layer of a simulcast stream, from 0 (lowest). */
const layer = z.int().min(0).max(2);

/** A request of a browser. */
export const clientMessage = z.discriminatedUnion('do', [
  /** The first message of a new connection. Reply: `joined`. */
  z.strictObject({
    do: z.literal('join'),
    id,
    token: z.string().max(4_096),
    /** Shown to the others. */
    name: z.string().max(MAX_NAME_CHARACTERS).optional(),
    /** False: the gateway offers no video of the others. */
    receivesVideo: z.boolean().optional(),
  }),
  /** The first message of a new socket for an existing connection. Reply: `joined`. */
  z.strictObject({ do: z.literal('resume'), id, secret: z.string().max(100) }),
  /**
   * Connects the audio, or renegotiates it, for example to restart ICE. An offer of a new peer
   * connection replaces the old one. Reply: `answer`.
   */
  z.strictObject({ do: z.literal('connect-audio'), id, offer: sdpWith('audio') }),
  /** Publishes video, or renegotiates it. Reply: `answer`. */
  z.strictObject({ do: z.literal('publish'), id, source: videoSource, offer: sdpWith('video') }),
  z.strictObject({ do: z.literal('unpublish'), id, source: videoSource }),
  /** Answers the offer of a `subscription` event. */
  z.strictObject({ do: z.literal('answer-subscription'), id, revision: z.int(), answer: sdp }),
  /**
   * Requests a new offer of the subscription: with an ICE restart, or for a new peer connection if
   * the old one is `lost`.
   */
  z.strictObject({ do: z.literal('restart-subscription'), id, isLost: z.boolean() }),
  /** ICE candidates of the browser; an empty list after the last one. */
  z.strictObject({ do: z.literal('add-candidates'), id, peer: peerName, candidates: z.array(candidate).max(50) }),
  /** Mutes or unmutes the own microphone. Problem `muted-by-host` if a host has muted it. */
  z.strictObject({ do: z.literal('mute'), id, muted: z.boolean() }),
  /** Chooses the layers of a received stream by its `mid`, or pauses it. */
  z.strictObject({
    do: z.literal('choose-quality'),
    id,
    mid: ascii(20),
    substream: layer.optional(),
    temporal: layer.optional(),
    paused: z.boolean().optional(),
  }),
  /** Shows that the socket works. Its reply is empty. */
  z.strictObject({ do: z.literal('ping'), id }),
  /** Leaves the conference. The gateway closes the socket. */
  z.strictObject({ do: z.literal('leave'), id }),
]);
export type ClientMessage = z.output<typeof clientMessage>;

/** Why a request failed, or why the socket closes. `reason` is in kebab case, for programs. */
export const socketProblem = z.strictObject({ reason: z.string(), detail: z.string() });
export type SocketProblem = z.output<typeof socketProblem>;

/** A member of the conference whose audio is connected. */
export const socketParticipant = z.strictObject({
  /** The connection of a browser, or the call of a telephone. */
  id: z.string(),
  kind: z.enum(['browser', 'phone']),
  /** Null: it gave none. */
  name: z.string().nullable(),
  isMuted: z.boolean(),
  /** A host has muted it: it cannot unmute itself. */
  isMutedByHost: z.boolean(),
  isTalking: z.boolean(),
  /** The video that it publishes. */
  sources: z.array(videoSource),
});
export type SocketParticipant = z.output<typeof socketParticipant>;

/** A server for ICE, as `RTCPeerConnection` takes it. */
export const iceServer = z.strictObject({
  urls: z.array(z.string()),
  username: z.string().optional(),
  credential: z.string().optional(),
});
export type IceServer = z.output<typeof iceServer>;

/** The state of a connection after `join` and `resume`. */
export const joinedState = z.strictObject({
  connectionId: z.string(),
  /** Resumes the connection on another socket. Only this browser knows it. */
  secret: z.string(),
  iceServers: z.array(iceServer),
  isMuted: z.boolean(),
  isMutedByHost: z.boolean(),
  /** The peer connections that the gateway has; after `resume`, the others must be made anew. */
  peers: z.array(peerName),
  /** Everybody in the conference, this browser included once its audio is connected. */
  participants: z.array(socketParticipant),
});
export type JoinedState = z.output<typeof joinedState>;

/** Which stream of the conference a media line of the subscription carries. */
export const subscribedStream = z.strictObject({ mid: z.string(), participantId: z.string(), source: videoSource });
export type SubscribedVideo = z.output<typeof subscribedStream>;

/** The answer to the request with this number. */
export const serverReply = z.strictObject({
  re: id,
  problem: socketProblem.optional(),
  joined: joinedState.optional(),
  /** A session description. */
  answer: z.string().optional(),
});
export type ServerReply = z.output<typeof serverReply>;

export const serverEvent = z.discriminatedUnion('event', [
  /** A participant joined or changed. */
  z.strictObject({ event: z.literal('participant'), participant: socketParticipant }),
  z.strictObject({ event: z.literal('participant-left'), id: z.string() }),
  /** Whether the gateway drops this browser's microphone. */
  z.strictObject({ event: z.literal('muted'), isMuted: z.boolean(), isMutedByHost: z.boolean() }),
  /** An offer of the others' video. The next one follows after its answer. */
  z.strictObject({
    event: z.literal('subscription'),
    revision: z.int(),
    /** The offer is for a new peer connection. */
    isNew: z.boolean(),
    offer: z.string(),
    streams: z.array(subscribedStream),
  }),
  /** The streams of the subscription changed, and nothing must be negotiated. */
  z.strictObject({ event: z.literal('streams'), streams: z.array(subscribedStream) }),
  /** The media server closed a peer connection: it must be made anew. */
  z.strictObject({ event: z.literal('peer-lost'), peer: peerName }),
  /** The connection is over, and cannot be resumed. */
  z.strictObject({ event: z.literal('ended'), reason: z.string() }),
]);
export type ServerEvent = z.output<typeof serverEvent>;

/** Any message of the gateway. A problem without a number answers a message that had none. */
export const serverMessage = z.union([serverReply, serverEvent, z.strictObject({ problem: socketProblem })]);
export type ServerMessage = z.output<typeof serverMessage>;
