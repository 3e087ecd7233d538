#!/usr/bin/perl
# run.t - das test over the tests of our own runbooks.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use ScriptTests;

ScriptTests::run('runbooks');
