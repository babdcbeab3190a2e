/**
 * Where a local track comes from: `true` is the default device, a text the id of a device, and a
 * track is cloned, so that the room never stops it. `false` is none.
 */
export type TrackSource = boolean | string | MediaTrackConstraints | MediaStreamTrack;

/** The devices of this browser. Labels are empty until the user has allowed one. */
export interface Devices {
  readonly microphones: readonly MediaDeviceInfo[];
  readonly cameras: readonly MediaDeviceInfo[];
  readonly speakers: readonly MediaDeviceInfo[];
}

const CAMERA: MediaTrackConstraints = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };

export const openMicrophone = (source: TrackSource): Promise<MediaStreamTrack | null> => openDevice('audio', source);

export const openCamera = (source: TrackSource): Promise<MediaStreamTrack | null> => openDevice('video', source);

/** Asks the user what to share; a given track is cloned. Rejects as `getDisplayMedia` does. */
export async function openScreen(source: MediaStreamTrack | DisplayMediaStreamOptions): Promise<MediaStreamTrack> {
  const track = isTrack(source)
    ? source.clone()
    : (
        await navigator.mediaDevices.getDisplayMedia({ ...source, video: source.video ?? true, audio: false })
      ).getVideoTracks()[0];
  if (track === undefined) throw new Error('The browser shared no video.');
  // Text stays sharp at the cost of frames.
  if (track.contentHint === '') track.contentHint = 'detail';
  return track;
}

export async function listDevices(): Promise<Devices> {
  const all = await navigator.mediaDevices.enumerateDevices();
  const of = (kind: MediaDeviceKind): MediaDeviceInfo[] => all.filter((device) => device.kind === kind);
  return { microphones: of('audioinput'), cameras: of('videoinput'), speakers: of('audiooutput') };
}

async function openDevice(kind: 'audio' | 'video', source: TrackSource): Promise<MediaStreamTrack | null> {
  if (source === false) return null;
  if (isTrack(source)) return source.clone();
  const chosen: MediaTrackConstraints =
    typeof source === 'string' ? { deviceId: { exact: source } } : source === true ? {} : source;
  const constraints = kind === 'audio' ? { audio: chosen } : { video: { ...CAMERA, ...chosen } };
  const [track] = (await navigator.mediaDevices.getUserMedia(constraints)).getTracks();
  return track ?? null;
}

const isTrack = (source: unknown): source is MediaStreamTrack => source instanceof MediaStreamTrack;
