// Builds the front end into built/: hashed names, and manifest.json for the templates: entry → file, and under `shared`
// and `charts` the files, in one line, that a browser fetches ahead on every page and on one with charts.
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { build } from 'esbuild';

const out = new URL('./built/', import.meta.url);
const root = new URL('./', import.meta.url).pathname;
await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });

const result = await build({
  absWorkingDir: root,
  entryPoints: ['src/lounge.js', 'src/lounge.css'],
  outdir: 'built',
  entryNames: '[name]-[hash]',
  chunkNames: '[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  minify: true,
  target: ['chrome109', 'firefox115', 'safari16'],
  charset: 'utf8',
  legalComments: 'eof',
  external: ['node:*'], // a writer of slides asks for files and addresses outside a browser only
  metafile: true,
  logLevel: 'warning',
});

const manifest = {};
for (const [file, { entryPoint }] of Object.entries(result.metafile.outputs)) {
  if (entryPoint) manifest[basename(entryPoint)] = basename(file);
}
const outputs = Object.entries(result.metafile.outputs);
const withImports = (source) => {
  const [file, { imports }] = outputs.find(([, { entryPoint }]) => entryPoint === source);
  return [file, ...imports.filter(({ kind }) => kind === 'import-statement').map(({ path }) => path)].map((path) => basename(path));
};
const shared = withImports('src/lounge.js').slice(1);
manifest.shared = shared.join(' ');
manifest.charts = withImports('src/charts.js').filter((file) => !shared.includes(file)).join(' ');
const icon = await readFile(new URL('./src/icon.svg', import.meta.url));
manifest['icon.svg'] = `icon-${createHash('sha256').update(icon).digest('hex').slice(0, 8)}.svg`;
await writeFile(new URL(manifest['icon.svg'], out), icon);
await writeFile(new URL('manifest.json', out), JSON.stringify(manifest, null, 1));
