// Reference lines and spans over charts: loaded where a page has some.
import { install as MarkArea } from 'echarts/lib/component/marker/installMarkArea.js';
import { install as MarkLine } from 'echarts/lib/component/marker/installMarkLine.js';
import { use } from 'echarts/lib/extension.js';
import './charts.js'; // one file with it

use([MarkArea, MarkLine]);
