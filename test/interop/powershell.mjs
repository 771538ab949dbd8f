// Parses scripts of PowerShell, a JSON array on standard input, with the grammar that Visual Studio Code ships, and
// prints what is in each: what the grammar can't read, and each command with its line and the commands in whose blocks
// it stands.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);
const wasm = join(dirname(require.resolve('@vscode/tree-sitter-wasm/package.json')), 'wasm');
const { Parser, Language } = require(join(wasm, 'tree-sitter.js'));

await Parser.init({ locateFile: () => join(wasm, 'tree-sitter.wasm') });
const parser = new Parser();
parser.setLanguage(await Language.load(join(wasm, 'tree-sitter-powershell.wasm')));

const walk = (found, node, within) => {
  const line = node.startPosition.row + 1;
  if (node.isError || node.isMissing) {
    found.errors.push({ line, text: node.text.slice(0, 80) });
  }
  if (node.type === 'function_statement') {
    found.functions.push(node.namedChildren.find((n) => n.type === 'function_name').text);
  }
  if (node.type === 'command') {
    const name = node.childForFieldName('command_name')?.text ?? '';
    found.commands.push({ line, name, text: node.text.slice(0, 200), within });
    within = [...within, name];
  }
  for (const child of node.children) {
    walk(found, child, within);
  }
  return found;
};
const scripts = JSON.parse(readFileSync(0, 'utf8'));
console.log(JSON.stringify(scripts.map((s) =>
  walk({ errors: [], commands: [], functions: [] }, parser.parse(s).rootNode, []))));
