#!/usr/bin/perl
# hook_sign.t - hooks against signers of their own: requests of all platforms are drawn and signed by a program on Node.js,
# and judged by das. What the two think of each platform's documents has to be the same.
use strict;
use warnings;
use Test::More;

my ($node) = grep { -x } map { "$_/node" } split /:/, $ENV{PATH};
plan skip_all => 'Node.js is not installed: there is nobody else to sign' unless $node;
my $run = ($ENV{BUILD} || 'build') . '/tests/e2e/hook_run';
exec $node, 'tests/e2e/lib/hook_cases.mjs', $run or die "$node: $!";
