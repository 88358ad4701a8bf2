/**
 * The smallest installer around our part of electron-builder's: with it, makensis finds mistakes in `installer.nsh` on any
 * machine. The real frame defines the same names; of its plug-in StdUtils, which is fetched only when an installer is built,
 * a stand-in has the parameters.
 */
export function harness(part: string, output: string): string {
  return `
Unicode true
!include LogicLib.nsh
!define StdUtils.GetParameter '!insertmacro standInForGetParameter'
!macro standInForGetParameter out name default
  StrCpy \${out} \`\${default}\`
!macroend
!define PRODUCT_NAME "ISG Pro"
!define APP_EXECUTABLE_FILENAME "ISG Pro.exe"
!define isUpdated "'0' == '1'"
Name "ISG Pro"
OutFile "${output}"
InstallDir "$PROGRAMFILES64\\ISG Pro"
!include "${part}"
Section
  WriteUninstaller "$INSTDIR\\uninstall.exe"
  !insertmacro customInstall
SectionEnd
Section Uninstall
  !insertmacro customUnInstall
SectionEnd
`;
}
