# A PSGI application that says which generation of it answers: at once, or for
# /slow?ms=800 after that many milliseconds.
use strict;
use warnings;
use Time::HiRes 'sleep';

sub {
    my $env = shift;
    if ($env->{PATH_INFO} eq '/slow') {
        my ($ms) = $env->{QUERY_STRING} =~ /\bms=(\d+)/;
        sleep(($ms // 800) / 1000);
    }
    my $body = "pid $$ generation " . ($ENV{HUPWATCH_GENERATION} // 0) . "\n";
    return [200, ['Content-Type' => 'text/plain', 'Content-Length' => length $body], [$body]];
};
