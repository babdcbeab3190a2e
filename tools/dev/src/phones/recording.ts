import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { firstChannel, readWavLayout, type Pcm, type WavLayout } from './wav.ts';

const POLL_MS = 40;
/** A longer pause between packets is silence in the recording; a shorter one is jitter. */
const MIN_GAP_MS = 120;
const BYTES_PER_SAMPLE = 2;
const MAX_HEADER_BYTES = 256;
const NOTHING: Pcm = { samples: new Int16Array(), rate: 8000 };

/** A span of time, in ms relative to now: `{ fromMs: -1000, toMs: 0 }` is the last second. */
export interface Window {
  readonly fromMs: number;
  readonly toMs?: number;
}

/** Samples of a file that arrived without a gap. */
interface Piece {
  readonly offset: number;
  length: number;
  /** When the first of them was heard, in ms since the epoch. */
  readonly startMs: number;
}

/**
 * What a phone heard in one call, from the WAV files that it still writes. The files contain only
 * what arrived, so that their length does not tell when that was. A phone starts another file when
 * the direction or the codec of its sound changes.
 */
export class Recording {
  #files: GrowingFile[] = [];
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;

  /** @param now returns ms since the epoch */
  constructor(now: () => number = Date.now) {
    this.#now = now;
    this.#timer = setInterval(() => this.#files.at(-1)?.poll(), POLL_MS);
    this.#timer.unref();
  }

  /** The latest file. */
  get path(): string | undefined {
    return this.#files.at(-1)?.path;
  }

  /** Follows one more file. */
  follow(path: string): void {
    this.#files.at(-1)?.close();
    // The phone names files by the second. The earlier file of the same name is overwritten.
    this.#files = this.#files.filter((file) => file.path !== path);
    this.#files.push(new GrowingFile(path, this.#now));
  }

  /**
   * Returns what was heard. Where no packets arrived, it contains silence. Without a window it
   * returns everything from the first packet to the last. Only files at the rate of the latest one
   * count.
   */
  cut(window?: Window): Pcm {
    const last = this.#files.at(-1);
    last?.poll();
    const rate = last?.rate;
    if (rate === undefined) return NOTHING;
    const files = this.#files.filter((file) => file.rate === rate && file.pieces.length > 0);
    const startMs = window ? this.#now() + window.fromMs : (files[0]?.pieces[0]?.startMs ?? 0);
    const endMs = window ? this.#now() + (window.toMs ?? 0) : (files.at(-1)?.endMs() ?? startMs);
    const at = (ms: number): number => Math.round(((ms - startMs) * rate) / 1000);
    const samples = new Int16Array(Math.max(0, at(endMs)));
    for (const file of files) {
      const heard = file.read();
      for (const { offset, length, startMs: pieceMs } of file.pieces) {
        const skipped = Math.max(0, -at(pieceMs));
        const begin = Math.max(0, at(pieceMs));
        const piece = heard.subarray(offset + skipped, offset + length);
        if (piece.length > 0 && begin < samples.length) samples.set(piece.subarray(0, samples.length - begin), begin);
      }
    }
    return { samples, rate };
  }

  close(): void {
    clearInterval(this.#timer);
    this.#files.at(-1)?.close();
  }
}

class GrowingFile {
  readonly path: string;
  readonly pieces: Piece[] = [];
  readonly #now: () => number;
  readonly #file: number;
  #layout: WavLayout | undefined;
  #samples = 0;
  #closed = false;

  constructor(path: string, now: () => number) {
    this.path = path;
    this.#now = now;
    this.#file = openSync(path, 'r');
  }

  get rate(): number | undefined {
    return this.#layout?.rate;
  }

  endMs(): number {
    const last = this.pieces.at(-1);
    return last && this.#layout ? last.startMs + (last.length * 1000) / this.#layout.rate : 0;
  }

  /** Notes what has arrived since the poll before. */
  poll(): void {
    if (this.#closed) return;
    this.#layout ??= this.#readLayout();
    if (!this.#layout) return;
    const { rate, channels, dataStart } = this.#layout;
    const written = Math.floor((fstatSync(this.#file).size - dataStart) / BYTES_PER_SAMPLE / channels);
    const length = written - this.#samples;
    if (length <= 0) return;
    const startMs = this.#now() - (length * 1000) / rate;
    const last = this.pieces.at(-1);
    if (last && startMs - this.endMs() < MIN_GAP_MS) last.length += length;
    else this.pieces.push({ offset: this.#samples, length, startMs: Math.max(startMs, this.endMs()) });
    this.#samples = written;
  }

  read(): Int16Array {
    if (!this.#layout) return NOTHING.samples;
    return firstChannel(readFileSync(this.path).subarray(this.#layout.dataStart), this.#layout.channels);
  }

  close(): void {
    this.poll();
    if (!this.#closed) closeSync(this.#file);
    this.#closed = true;
  }

  #readLayout(): WavLayout | undefined {
    const header = Buffer.alloc(MAX_HEADER_BYTES);
    const length = readSync(this.#file, header, 0, header.length, 0);
    return readWavLayout(header.subarray(0, length));
  }
}
