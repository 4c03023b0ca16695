"""Avatars, files, logins and errors of `twisted.protocols.ftp`, for programs that bring their own `IFTPShell`.

Nothing else of the house knows of them.
"""
