import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readWav, writeWav, type Recording } from '../audio/wav.ts';

/**
 * Keeps spoken texts in memory, and in a folder that several processes may share. Files appear whole
 * (written elsewhere, then renamed). A damaged one counts as missing.
 */
export class SpeechCache {
  readonly #folder: string;
  readonly #maxBytes: number;
  /** In the order of use, the latest last. */
  readonly #memory = new Map<string, Int16Array>();
  #bytes = 0;

  /** @param maxBytes of audio in memory; the folder has no limit */
  constructor(folder: string, maxBytes: number) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
  }

  /** @param key only letters and digits */
  async get(key: string, sampleRate: number): Promise<Int16Array | undefined> {
    const remembered = this.#memory.get(key);
    if (remembered) {
      this.#memory.delete(key);
      this.#memory.set(key, remembered);
      return remembered;
    }
    const recording = await this.#read(key);
    if (recording?.sampleRate !== sampleRate || recording.pcm.length === 0) return undefined;
    this.#remember(key, recording.pcm);
    return recording.pcm;
  }

  /** Rejects when the folder cannot be written; the audio is then kept in memory only. */
  async set(key: string, recording: Recording): Promise<void> {
    this.#remember(key, recording.pcm);
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const draft = await mkdtemp(join(this.#folder, 'draft-'));
    try {
      await writeFile(join(draft, 'speech.wav'), writeWav(recording));
      await rename(join(draft, 'speech.wav'), this.#path(key));
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  }

  async #read(key: string): Promise<Recording | undefined> {
    try {
      return readWav(await readFile(this.#path(key)));
    } catch {
      return undefined;
    }
  }

  #remember(key: string, pcm: Int16Array): void {
    this.#bytes += pcm.byteLength - (this.#memory.get(key)?.byteLength ?? 0);
    this.#memory.delete(key);
    this.#memory.set(key, pcm);
    for (const [oldest, { byteLength }] of this.#memory) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#memory.delete(oldest);
      this.#bytes -= byteLength;
    }
  }

  #path(key: string): string {
    return join(this.#folder, `${key}.wav`);
  }
}
