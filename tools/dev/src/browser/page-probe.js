// Runs in each page before its own scripts. It follows all peer connections of the page, so that a
// test can ask what the page receives without help of the page.
(() => {
  if (!window.RTCPeerConnection) return;
  /** As long as an analyser of the Web Audio API can look back: 0.68 s at 48 kHz. */
  const SAMPLES = 32_768;
  const connections = new Set();
  let context;
  let analyser;

  const listenTo = (track) => {
    context ??= new AudioContext({ sampleRate: 48_000 });
    analyser ??= new AnalyserNode(context, { fftSize: SAMPLES });
    const stream = new MediaStream([track]);
    // Chromium gives the sound of a remote track to Web Audio only while a media element plays it.
    const player = new Audio();
    player.muted = true;
    player.srcObject = stream;
    player.play().catch(() => undefined);
    const source = new MediaStreamAudioSourceNode(context, { mediaStream: stream });
    source.connect(analyser);
    track.addEventListener('ended', () => {
      source.disconnect();
      player.srcObject = null;
    });
  };

  window.RTCPeerConnection = class extends window.RTCPeerConnection {
    constructor(...options) {
      super(...options);
      connections.add(this);
      this.addEventListener('track', ({ track }) => {
        if (track.kind === 'audio') listenTo(track);
      });
    }
  };

  // The processing of speech removes or distorts the tones of a test.
  const devices = navigator.mediaDevices;
  const getUserMedia = devices?.getUserMedia.bind(devices);
  if (getUserMedia) {
    devices.getUserMedia = (constraints) => {
      if (!constraints?.audio) return getUserMedia(constraints);
      const audio = {
        ...(constraints.audio === true ? {} : constraints.audio),
        echoCancellation: false,
        noiseSuppression: false,
        autoGainControl: false,
      };
      return getUserMedia({ ...constraints, audio });
    };
  }

  /** The inbound streams of one kind, of the connections that are open. */
  const inbound = async (kind) => {
    const open = [...connections].filter((connection) => connection.connectionState !== 'closed');
    const reports = await Promise.all(open.map((connection) => connection.getStats()));
    return reports.flatMap((report) =>
      [...report.values()].filter((entry) => entry.type === 'inbound-rtp' && entry.kind === kind),
    );
  };

  window.partylineProbe = {
    /** The latest samples of all remote audio tracks together, as base64 of 16 bits. */
    heard() {
      if (!analyser) return { rate: 48_000, samples: '' };
      const floats = new Float32Array(SAMPLES);
      analyser.getFloatTimeDomainData(floats);
      const samples = Int16Array.from(floats, (value) =>
        Math.max(-32_768, Math.min(32_767, Math.round(value * 32_768))),
      );
      return {
        rate: context.sampleRate,
        samples: btoa(Array.from(new Uint8Array(samples.buffer), (byte) => String.fromCharCode(byte)).join('')),
      };
    },
    async receivedVideo() {
      const entries = await inbound('video');
      return entries.map(({ trackIdentifier, framesDecoded, frameWidth, frameHeight, framesPerSecond }) => ({
        trackId: trackIdentifier,
        framesDecoded: framesDecoded ?? 0,
        width: frameWidth ?? 0,
        height: frameHeight ?? 0,
        framesPerSecond: framesPerSecond ?? 0,
      }));
    },
    async receivedAudio() {
      const entries = await inbound('audio');
      return entries.map(
        ({ trackIdentifier, packetsReceived, packetsLost, concealedSamples, totalSamplesReceived }) => ({
          trackId: trackIdentifier,
          packetsReceived: packetsReceived ?? 0,
          packetsLost: packetsLost ?? 0,
          concealedSamples: concealedSamples ?? 0,
          totalSamples: totalSamplesReceived ?? 0,
        }),
      );
    },
    /** The mean colour in the middle of what a video element shows. */
    colourOf(video) {
      const canvas = new OffscreenCanvas(1, 1);
      const drawing = canvas.getContext('2d');
      const { videoWidth: width, videoHeight: height } = video;
      drawing.drawImage(video, width / 4, height / 4, width / 2, height / 2, 0, 0, 1, 1);
      return [...drawing.getImageData(0, 0, 1, 1).data].slice(0, 3);
    },
  };
})();
