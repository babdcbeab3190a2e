import type { Command } from 'commander';

/** The words that may follow one command. */
interface CompletionNode {
  /** The names of the command and its groups: `rooms create`; empty for the program. */
  readonly path: string;
  readonly words: readonly { readonly word: string; readonly description: string }[];
}

/** Lists a command and all commands below it, each with its subcommands and options. */
function listNodes(command: Command, path = ''): CompletionNode[] {
  const commands = command.commands.filter((each) => each.name() !== 'help');
  const words = [
    ...commands.map((each) => ({ word: each.name(), description: each.description() })),
    ...command.options.flatMap(({ long, description }) =>
      typeof long === 'string' ? [{ word: long, description }] : [],
    ),
    { word: '--help', description: 'print help' },
  ];
  return [{ path, words }, ...commands.flatMap((each) => listNodes(each, `${path} ${each.name()}`.trim()))];
}

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** Returns a script that completes commands and options in a shell, without network access. */
export function completionFor(shell: Shell, program: Command): string {
  const nodes = listNodes(program);
  return { bash: forBash, zsh: forZsh, fish: forFish }[shell](program.name(), nodes);
}

/** For bash and zsh: appends the word to `path` if that names a command. */
const appendToPath = (nodes: readonly CompletionNode[]): string => `case "$path $word" in
      ${nodes
        .filter(({ path }) => path !== '')
        .map(({ path }) => `"${path.includes(' ') ? path : ` ${path}`}"`)
        .join('|')}) path="\${path:+$path }$word" ;;
    esac`;

const forBash = (
  name: string,
  nodes: readonly CompletionNode[],
): string => `# ${name} completion bash: put this in ~/.bashrc: source <(${name} completion bash)
_${name}() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" path="" word words=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    ${appendToPath(nodes)}
  done
  case "$path" in
${nodes.map(({ path, words }) => `    "${path}") words="${words.map(({ word }) => word).join(' ')}" ;;`).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _${name} ${name}`;

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

const forZsh = (name: string, nodes: readonly CompletionNode[]): string => `#compdef ${name}
# ${name} completion zsh: put this in ~/.zshrc after compinit: source <(${name} completion zsh)
_${name}() {
  local path="" word
  local -a found
  for word in "\${(@)words[2,CURRENT-1]}"; do
    ${appendToPath(nodes)}
  done
  case "$path" in
${nodes.map(({ path, words }) => `    "${path}") found=(${words.map(({ word, description }) => quote(`${word.replaceAll(':', '\\:')}:${description}`)).join(' ')}) ;;`).join('\n')}
  esac
  _describe '${name}' found
}
compdef _${name} ${name}`;

const forFish = (
  name: string,
  nodes: readonly CompletionNode[],
): string => `# ${name} completion fish: ${name} completion fish > ~/.config/fish/completions/${name}.fish
function __${name}_path
  set -l path
  for word in (commandline -opc)[2..]
    contains -- (string join ' ' $path $word) ${nodes
      .filter(({ path }) => path !== '')
      .map(({ path }) => quote(path))
      .join(' ')}; and set -a path $word
  end
  string join ' ' $path
end
complete -c ${name} -f
${nodes.flatMap(({ path, words }) => words.map(({ word, description }) => `complete -c ${name} -n ${quote(`test "$(__${name}_path)" = ${quote(path)}`)} ${word.startsWith('--') ? `-l ${word.slice(2)}` : `-a ${word}`} -d ${quote(description)}`)).join('\n')}`;
