"""zope.interface, only where Twisted looks things up by interface; everything else is a `typing.Protocol` in `spi`."""

from __future__ import annotations

from zope.interface import Attribute, Interface

__all__ = ["IAvatar", "IEventObserver", "ILoginKind", "IStoreKind", "IVirtualFiles"]


class IAvatar(Interface):
    """What `portal.login(credentials, mind, IAvatar)` gives: one logged-in account, for every protocol."""

    account = Attribute("The `values.Account`.")
    files = Attribute("A `spi.Filesystem`, already guarded: what this account sees and may do.")


class IEventObserver(Interface):
    """An observer of events in an extension directory, found by `extensions.gather`; it hears all events as long as its file is there.

    Inside the house, and for embedders, any `spi.Observer` will do: only what is looked for needs a mark.
    """

    def __call__(event):  # type: ignore[no-untyped-def]  # zope.interface methods have no self and no types
        """Take note of an `events.Event`, on the reactor thread: what blocks belongs in a thread.  It may not veto."""


class IVirtualFiles(Interface):
    """Files that are made when they are asked for, in an extension directory, found by `extensions.gather`; for protocols that have nothing
    but requests (TFTP).

    Each request to read is offered to each of them, in the order of their files' names, before the store is looked at: the first that has
    something is served.
    """

    def __call__(request):  # type: ignore[no-untyped-def]  # zope.interface methods have no self and no types
        """Return the bytes of the file that the `tftp.virtual.FileRequest` asks for, or None: not one of mine.

        Called on the reactor thread: what takes time is an awaitable of the same.  A `errors.FileTransferError`, raised, is the client's answer.
        """


class IStoreKind(Interface):
    """A kind of store, named in `[storage] kind`; found by `extensions.gather`.

    One whose files are in the memory of a process, where no other process sees them, says so by an attribute `is_in_memory`, True.
    """

    name = Attribute("What the setting says, such as 'local'.")
    settings = Attribute("An attrs class made of `schema.setting`; its values come from the `[storage.NAME]` table.")

    def make(settings, threads):  # type: ignore[no-untyped-def]  # zope.interface methods have no self and no types
        """Return a `spi.Store`; *threads* is a `spi.Threads`.  Raises `schema.ConfigError`."""


class ILoginKind(Interface):
    """A kind of login source, named in `[[login]] kind`; found by `extensions.gather`."""

    name = Attribute("What the setting says, such as 'password_file'.")
    settings = Attribute("An attrs class made of `schema.setting`.")

    def make(settings, threads):  # type: ignore[no-untyped-def]
        """Return a cred `ICredentialsChecker`; *threads* is the login pool.  Raises `schema.ConfigError`."""
