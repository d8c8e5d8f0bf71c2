package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// door lets clients in as long as there is room for them.
type door struct {
	*net.UnixListener
	server *Server
	closed <-chan struct{}
	shares *shares
	full   bool // no place became free while one was waited for
}

// Accept returns the next client that is let in. It fails when the socket is
// closed, and only then.
func (d *door) Accept() (net.Conn, error) {
	pause := backoff{first: 100 * time.Millisecond, most: 5 * time.Second}
	for {
		c, err := d.AcceptUnix()
		switch {
		case err == nil:
			pause.reset()
			if client := d.admit(c); client != nil {
				return client, nil
			}
			c.Close()
			continue
		case errors.Is(err, net.ErrClosed):
			return nil, err
		case pause.now == 0: // the first in a row
			d.server.report(fmt.Errorf("control socket: %w; clients wait until it works again", err))
		}
		if !pause.wait(d.closed) {
			return nil, net.ErrClosed
		}
	}
}

// admit finds a place for a client, or returns nil.
func (d *door) admit(c *net.UnixConn) *client {
	p, err := identify(c)
	if err != nil {
		return nil
	}
	rank := d.rank(p)
	at := d.shares.take(rank, p.uid)
	if at == placeNone && rank == master && !d.full {
		at = d.waitTurn(p.uid)
	}
	if rank == master {
		d.full = at == placeNone // the next one need not wait as long again
	}
	if at == placeNone && rank != stranger {
		at = d.shares.takeSurplus()
	}
	if at == placeNone {
		return nil
	}
	return &client{UnixConn: c, peer: p, surplus: at == placeSurplus, leave: func() { d.shares.give(at, p.uid) }}
}

// waitTurn makes root and the owner wait for a place: they are not turned away at
// once. All clients behind them wait too.
func (d *door) waitTurn(uid int) place {
	timer := time.NewTimer(d.server.limits.turn)
	defer timer.Stop()
	for {
		select {
		case <-d.shares.freed:
			if at := d.shares.take(master, uid); at != placeNone {
				return at
			}
		case <-timer.C:
			return placeNone
		case <-d.closed:
			return placeNone
		}
	}
}

// rank is the role of a peer, as far as that is known without a lookup.
func (d *door) rank(p *peer) role {
	if p.known && !p.groupsTold && p.uid != 0 && p.uid != os.Geteuid() {
		return member
	}
	return d.server.role(p)
}

func identify(c *net.UnixConn) (*peer, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var p *peer
	var peerErr error
	if err := raw.Control(func(fd uintptr) { p, peerErr = peerOf(int(fd)) }); err != nil {
		return nil, err
	}
	return p, peerErr
}

// client is a connection that takes a place.
type client struct {
	*net.UnixConn
	peer    *peer
	surplus bool
	leave   func()
	once    sync.Once
}

// Close gives the place back.
func (c *client) Close() error {
	err := c.UnixConn.Close()
	c.once.Do(c.leave)
	return err
}

type clientKey struct{}

func withClient(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, clientKey{}, c)
}

func clientOf(ctx context.Context) *client {
	c, _ := ctx.Value(clientKey{}).(*client)
	return c
}
