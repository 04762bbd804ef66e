// What the page and its parts that come later have in common. Each of them imports this file, so that the bundler
// makes one file of it: a dozen small ones would each cost a request and the head of an answer.
import './citing.js';
import './content.js';
import './dom.js';
import './eras.js';
import './flows.js';
import './folding.js';
import './formats.js';
import './levels.js';
import './look.js';
import './periods.js';
import './reader.js';
import './slices.js';
import './stacks.js';
import './tables.js';
