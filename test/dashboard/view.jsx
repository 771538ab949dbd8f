// Draws a dashboard file with Grafana's own widgets, from a Prometheus that serves this page
// (--web.user-assets): each panel's queries, transformations and fieldConfig, in the grid of its gridPos. What a
// Grafana server adds is not here: its frame around the panels, the menus of the variables, annotations.
// It shows the five minutes until the last scrape, as the address says: ?theme=light&width=1400
import { createRoot } from 'react-dom/client';
import {
  Registry, ThemeContext, applyFieldOverrides, createTheme, dateTime, getDisplayValueAlignmentFactors,
  getFieldDisplayName, getFieldDisplayValues, standardTransformers, standardTransformersRegistry, toDataFrame,
  transformDataFrame,
} from '@grafana/data';
import { BigValue, GlobalStyles, PanelChrome, Table, TimeSeries, VizRepeater } from '@grafana/ui';
import { firstValueFrom } from 'rxjs';

const address = new URLSearchParams(location.search);
const pageWidth = Number(address.get('width')); // a window of Chromium is 500 pixels wide at least
const theme = createTheme({ colors: { mode: address.get('theme') } });
const to = Number((await api('query', { query: 'max(timestamp(up))' }))[0].value[1]);
const from = to - 300;
const step = 5; // seconds, as if the data source's scrape interval were that
const variables = { instance: '.*', __rate_interval: `${4 * step}s` };
const timeRange = { from: dateTime(from * 1000), to: dateTime(to * 1000) };
timeRange.raw = timeRange;

// api asks Prometheus (https://prometheus.io/docs/prometheus/2.42/querying/api/).
async function api(path, form) {
  const reply = await (await fetch(`/api/v1/${path}?${new URLSearchParams(form)}`)).json();
  if (reply.status !== 'success') throw new Error(`${reply.error}: ${form.query}`);
  return reply.data.result;
}

// What a time series panel of Grafana has where the file says nothing.
const customDefaults = {
  timeseries: {
    drawStyle: 'line', lineInterpolation: 'linear', lineWidth: 1, fillOpacity: 0, gradientMode: 'none',
    lineStyle: { fill: 'solid' }, showPoints: 'auto', pointSize: 5, spanNulls: false, insertNulls: false,
    axisPlacement: 'auto', axisLabel: '', axisColorMode: 'text', axisBorderShow: false, axisCenteredZero: false,
    axisSoftMax: undefined,
    scaleDistribution: { type: 'linear' }, stacking: { mode: 'none', group: 'A' }, thresholdsStyle: { mode: 'off' },
    barAlignment: 0, barWidthFactor: 0.6, hideFrom: { legend: false, tooltip: false, viz: false },
  },
  table: { align: 'auto', cellOptions: { type: 'auto' }, inspect: false, minWidth: undefined, width: undefined },
  stat: {},
};

// fieldRegistry has the properties of a fieldConfig that this page knows, each taken as it is.
function fieldRegistry(custom) {
  const property = (isCustom) => (path) => ({
    id: isCustom ? `custom.${path}` : path, path, isCustom, name: path, process: (v) => v, shouldApply: () => true,
  });
  const standard = ['color', 'decimals', 'displayName', 'mappings', 'max', 'min', 'noValue', 'thresholds', 'unit'];
  return new Registry(() => [...standard.map(property(false)), ...Object.keys(custom).map(property(true))]);
}

standardTransformersRegistry.setInit(() => [...new Set(Object.values(standardTransformers))].map((transformation) => ({
  id: transformation.id, name: transformation.name, transformation,
})));

const interpolate = (text) => text.replace(/\$(\w+)/g, (_, name) => {
  if (!(name in variables)) throw new Error(`unknown variable ${name}`);
  return variables[name];
});

// frames of one target: as Grafana's Prometheus data source names and types them.
async function frames(target, targets) {
  const query = interpolate(target.expr);
  const result = await (target.instant ? api('query', { query, time: to })
    : api('query_range', { query, start: from, end: to, step }));
  const time = { name: 'Time', type: 'time', config: { interval: step * 1000 } };
  const number = (v) => Number(v.replace('Inf', 'Infinity'));
  if (target.format === 'table') {
    const labels = [...new Set(result.flatMap(({ metric }) => Object.keys(metric)))].sort();
    const name = targets.length > 1 ? `Value #${target.refId}` : 'Value';
    return [toDataFrame({ refId: target.refId, fields: [
      { ...time, values: result.map(({ value }) => value[0] * 1000) },
      ...labels.map((label) => ({ name: label, type: 'string', values: result.map(({ metric }) => metric[label]) })),
      { name, type: 'number', values: result.map(({ value }) => number(value[1])) },
    ] })];
  }
  return result.map(({ metric, value, values = [value] }) => toDataFrame({ refId: target.refId, fields: [
    { ...time, values: values.map(([t]) => t * 1000) },
    { name: 'Value', type: 'number', labels: metric, values: values.map(([, v]) => number(v)), config: {
      displayNameFromDS: target.legendFormat.replace(/{{\s*(\w+)\s*}}/g, (_, label) => metric[label] ?? ''),
    } },
  ] }));
}

// fill is a panel with its data, as its widget takes it.
async function fill(panel) {
  const custom = customDefaults[panel.type];
  if (!custom) throw new Error(`${panel.title}: no widget for a panel of type ${panel.type}`);
  const asked = (await Promise.all(panel.targets.map((t) => frames(t, panel.targets)))).flat();
  const { defaults, overrides } = panel.fieldConfig;
  for (const threshold of defaults.thresholds.steps) threshold.value ??= -Infinity;
  defaults.custom = { ...custom, ...defaults.custom };
  const shaped = await firstValueFrom(transformDataFrame(panel.transformations ?? [], asked));
  const names = shaped.flatMap((frame) => frame.fields.map((field) => getFieldDisplayName(field, frame, shaped)));
  const unknown = overrides.find(({ matcher }) => !names.includes(matcher.options));
  if (unknown && shaped.some((frame) => frame.length > 0)) {
    throw new Error(`${panel.title}: an override of ${unknown.matcher.options}, but it has ${names}`);
  }
  const data = applyFieldOverrides({
    data: shaped,
    fieldConfig: { defaults, overrides }, fieldConfigRegistry: fieldRegistry(custom), replaceVariables: (v) => v, theme,
    timeZone: 'utc',
  });
  return { ...panel, data };
}

function Stat({ panel, width, height }) {
  const { fieldConfig, options, data } = panel;
  const getValues = () => getFieldDisplayValues({
    fieldConfig, reduceOptions: options.reduceOptions, replaceVariables: (v) => v, theme, data, timeZone: 'utc',
    sparkline: options.graphMode !== 'none',
  });
  const renderValue = ({ value, count, alignmentFactors, width, height }) => (
    <BigValue value={value.display} sparkline={value.sparkline} text={options.text} {...options}
      {...{ count, alignmentFactors, width, height, theme }} />
  );
  return <VizRepeater source={data} itemSpacing={3} autoGrid orientation={options.orientation}
    getAlignmentFactors={getDisplayValueAlignmentFactors} {...{ getValues, renderValue, width, height }} />;
}

function Panel({ panel, width, height }) {
  const { type, data, options } = panel;
  if (!data.some((frame) => frame.length > 0)) {
    const noValue = panel.fieldConfig.defaults.noValue ?? 'No data';
    if (type !== 'stat') return <div style={{ display: 'grid', placeItems: 'center', height: '100%' }}>{noValue}</div>;
  }
  switch (type) {
    case 'stat': return <Stat {...{ panel, width, height }} />;
    case 'table': return <Table data={data[options.frameIndex]} {...options} {...{ width, height }} />;
    case 'timeseries': return <TimeSeries frames={data} legend={options.legend} timeZone="utc" options={options}
      {...{ width, height, timeRange }}>{() => null}</TimeSeries>;
  }
}

// Grafana's grid: 24 columns, rows of 30 pixels, gaps of 8; one column on a screen as narrow as a telephone's.
function Dashboard({ title, panels }) {
  const all = pageWidth - 32;
  const narrow = pageWidth < theme.breakpoints.values.md;
  const width = (w) => (narrow ? all : ((all + 8) / 24) * w - 8);
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <h4>{title}</h4>
      <div style={{ display: 'grid', gap: 8, width: all, gridTemplateColumns: narrow ? '1fr' : 'repeat(24, 1fr)',
        gridAutoRows: narrow ? undefined : 30 }}>
        {panels.map((panel) => {
          const { x, y, w, h } = panel.gridPos;
          const place = narrow ? {} : { gridColumn: `${x + 1} / span ${w}`, gridRow: `${y + 1} / span ${h}` };
          return (
            <div key={panel.id} style={place}>
              <PanelChrome title={panel.title} description={panel.description} width={width(w)} height={38 * h - 8}>
                {(width, height) => <Panel {...{ panel, width, height }} />}
              </PanelChrome>
            </div>
          );
        })}
      </div>
    </ThemeContext.Provider>
  );
}

// The widgets measure texts when they are drawn: in Grafana the fonts are there by then.
for (const [weight, name] of [[400, 'Regular'], [500, 'Medium']]) {
  document.fonts.add(await new FontFace('Inter', `url(fonts/inter/Inter-${name}.woff2)`, { weight }).load());
}
const { title, panels } = await (await fetch('dashboard.json')).json();
const filled = await Promise.all(panels.map(fill));
createRoot(document.querySelector('main')).render(<Dashboard title={title} panels={filled} />);

// Chromium narrows its window when it takes the picture, and a busy machine may take it before what was drawn on a
// canvas is there again: an image is. Its virtual time stands still during a request, so that a slow machine can draw.
const charts = panels.filter(({ type }) => type === 'timeseries').length;
const late = setTimeout(() => console.error('not all charts are drawn'), 15000);
while (document.querySelectorAll('canvas').length < charts) {
  await fetch('dashboard.json', { cache: 'no-store' });
  await new Promise((resume) => { setTimeout(resume, 10); });
}
clearTimeout(late);
await new Promise((resume) => { setTimeout(resume, 1000); });
for (const canvas of document.querySelectorAll('canvas')) {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  if (!data.some((byte) => byte > 0)) console.error('a chart is empty');
  const image = new Image();
  image.src = canvas.toDataURL();
  image.style.cssText = 'display: block; width: 100%; height: 100%';
  canvas.replaceWith(image);
}
