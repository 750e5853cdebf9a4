#!/usr/bin/env node
// Written so that every Node since 12 can read it: an old one gets a sentence, not a stack.
var version = process.versions.node.split('.').map(Number);
if (version[0] < 22 || (version[0] === 22 && version[1] < 22)) {
  process.stderr.write(
    'streamsql needs Node 22.22 or newer; this is Node ' +
      process.versions.node +
      ' (https://nodejs.org has newer ones).\n',
  );
  process.exit(2);
}
void import('../dist/cli.js').then(function (cli) {
  return cli.start('streamsql');
});
