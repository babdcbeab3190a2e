import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readlink } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** What is at each path of a folder: the SHA-256 of a file, or the target of a link after `link:`. */
export type FileList = Readonly<Record<string, string>>;

/** Lists the files and links of a folder and of all folders in it, in the order of their paths. */
export async function listFiles(folder: string): Promise<FileList> {
  const entries = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => !entry.isDirectory())
    .map((entry) => ({ file: join(entry.parentPath, entry.name), isLink: entry.isSymbolicLink() }))
    .toSorted((a, b) => (a.file < b.file ? -1 : 1));
  const list: Record<string, string> = {};
  for (const { file, isLink } of entries)
    list[relative(folder, file)] = isLink ? `link:${await readlink(file)}` : await hashFile(file);
  return list;
}

/** Names the first path that is missing, new, or different; undefined if there is none. */
export function findDifference(expected: FileList, present: FileList): string | undefined {
  for (const [path, content] of Object.entries(expected)) {
    if (present[path] === undefined) return `${path} is missing`;
    if (present[path] !== content) return `${path} is different`;
  }
  const added = Object.keys(present).find((path) => expected[path] === undefined);
  return added && `${added} is new`;
}

async function hashFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}
