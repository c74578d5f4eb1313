/** The counts that the last line of a test run tells. */
import { expect, test } from "bun:test";
import { parseTestReport, totalsOf } from "./test-report.ts";

const xml = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test" tests="5" failures="2" skipped="1">
  <testsuite name="b.test.ts" file="b.test.ts">
    <testcase name="holds" classname="" time="0.5" file="b.test.ts" line="1" assertions="1" />
    <testcase name="breaks" time="0.25" file="b.test.ts"><failure type="AssertionError" message="0 &lt; 1&#10;&amp;lt;">Error: 0</failure></testcase>
    <testcase name="breaks too" time="0" file="b.test.ts"><error type="Error" /></testcase>
  </testsuite>
  <testsuite name="a.test.ts" file="a.test.ts">
    <testcase name="needs &quot;java&quot; &amp; more" time="0" file="a.test.ts"><skipped /></testcase>
    <testcase name="holds too" time="0" file="a.test.ts" />
  </testsuite>
</testsuites>`;

test("parseTestReport() counts each file's tests, keeps the names of what was skipped, and tells why what failed did", () => {
  const suites = parseTestReport(xml);
  expect(suites).toEqual([
    { file: "a.test.ts", passed: 1, failed: [], skipped: ['needs "java" & more'], seconds: 0 },
    {
      file: "b.test.ts",
      passed: 1,
      failed: [
        { name: "breaks", message: "0 < 1\n&lt;" },
        { name: "breaks too", message: "no message" },
      ],
      skipped: [],
      seconds: 0.75,
    },
  ]);
  expect(totalsOf(suites)).toEqual({ passed: 2, failed: 2, skipped: 1 });
});
