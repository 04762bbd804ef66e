// The figures under a pointer: loaded with the first one that comes over a chart.
import { install as Tooltip } from 'echarts/lib/component/tooltip/install.js';
import { use } from 'echarts/lib/extension.js';
import './charts.js'; // one file with it

use([Tooltip]);
