import { dirname, resolve } from 'node:path';

/**
 * The part of an ESTree node that this rule reads: a static import, a re-export, `import()` and
 * `import('...')`.
 */
interface ImportNode {
  source?: { type: string; value?: unknown } | null;
}

interface Options {
  /** Folders of `src`, from the ground up. A folder may import only folders of a lower level. */
  levels: string[][];
  /** The folder that may import every folder, and that only tests may import. */
  testing: string;
  /**
   * Known breaches, as `<importing file> -> <imported file>` below `src`. Each must still exist.
   */
  exceptions?: string[];
}

interface Context {
  filename: string;
  options: readonly unknown[];
  report(problem: { node: object; message: string }): void;
}

/**
 * Enforces the direction of imports between the folders of a package's `src`. Imports only ever
 * lead down the levels, so no cycle of folders can exist. A file directly in `src` lies below all
 * folders and may import none of them.
 */
export const folderDirection = {
  meta: { schema: false },
  create(context: Context) {
    const { levels, testing, exceptions = [] } = context.options[0] as Options;
    const file = splitPath(context.filename);
    if (file === undefined) return {};
    const levelOf = (folder: string): number => levels.findIndex((level) => level.includes(folder));
    const isKnown = (folder: string): boolean => folder === '' || levelOf(folder) >= 0;
    const unused = new Set(exceptions.filter((exception) => exception.startsWith(`${file.path} -> `)));

    const breachOf = (target: { folder: string; path: string }): string | undefined => {
      if (target.folder === file.folder) return undefined;
      if (target.folder === testing) return `Only tests may import '${testing}'.`;
      if (!isKnown(target.folder)) return `The folder '${target.folder}' has no level: add it to .oxlintrc.json.`;
      if (levelOf(target.folder) < levelOf(file.folder)) return undefined;
      if (file.folder === '') return `A file directly in src may not import the folder '${target.folder}'.`;
      return (
        `'${file.folder}' may not import '${target.folder}', which is not on a lower level. ` +
        `Move the shared code down; .oxlintrc.json lists the levels.`
      );
    };
    const check = (node: ImportNode): void => {
      const specifier = node.source?.value;
      if (typeof specifier !== 'string' || !specifier.startsWith('.')) return;
      const target = splitPath(resolve(dirname(context.filename), specifier));
      if (target === undefined || target.root !== file.root) return;
      const breach = breachOf(target);
      if (breach === undefined || unused.delete(`${file.path} -> ${target.path}`)) return;
      context.report({ node, message: breach });
    };
    return {
      Program(node: object) {
        if (isKnown(file.folder)) return;
        context.report({ node, message: `The folder '${file.folder}' has no level: add it to .oxlintrc.json.` });
      },
      ImportDeclaration: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      ImportExpression: check,
      TSImportType: check,
      'Program:exit'(node: object) {
        for (const exception of unused)
          context.report({ node, message: `Unused exception '${exception}': remove it from .oxlintrc.json.` });
      },
    };
  },
};

/**
 * The last `src` folder above a file, the file's path below it, and the path's first folder (empty:
 * none).
 */
function splitPath(filename: string): { root: string; path: string; folder: string } | undefined {
  const [, root, path = ''] = /^(.*\/src\/)(.*)$/.exec(filename.replaceAll('\\', '/')) ?? [];
  if (root === undefined) return undefined;
  return { root, path, folder: path.includes('/') ? path.slice(0, path.indexOf('/')) : '' };
}
